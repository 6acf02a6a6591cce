"""The loop at rest: no task can go on without the kernel, another thread or a clock.

trio keeps the wait for that among its means for tests, whose import loads a whole test runner (0.3 s). The name is
private to trio, and stands nowhere else.
"""

from trio._core._generated_run import wait_all_tasks_blocked as loop_at_rest

__all__ = ["loop_at_rest"]
