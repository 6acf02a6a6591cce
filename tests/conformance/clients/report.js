// What a client's script says of itself: one JSON line for each operation it tried, with how long it took.
'use strict'

const { performance } = require('perf_hooks')

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// Raises an Error that says what should have been so.
function expect (truth, what) {
  if (!truth) throw new Error(`must hold, did not: ${what}`)
}

// Ask again until the answer is true; other processes are at work, so this one cannot know when.
async function until (found, what, withinMs = 10000) {
  const end = performance.now() + withinMs
  for (;;) {
    const value = await found()
    if (value) return value
    expect(performance.now() < end, what)
    await pause(50)
  }
}

class Report {
  constructor (client, version) {
    this.client = client
    this.version = version
    this.failed = 0
  }

  // One operation: it passes when nothing is thrown within its time. The script goes on after one that did not.
  async operation (name, act, withinMs = 15000) {
    const began = performance.now()
    let problem = ''
    let timer
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not done in ${withinMs} ms`)), withinMs)
    })
    try {
      await Promise.race([act(), late])
    } catch (error) {
      console.error(error)
      problem = `${error.name || 'Error'}: ${error.message || error}`.slice(0, 300)
    } finally {
      clearTimeout(timer)
    }
    this.failed += problem ? 1 : 0
    const seconds = Math.round(performance.now() - began) / 1000
    const line = { client: this.client, version: this.version, operation: name, passed: !problem, problem, seconds }
    process.stdout.write(JSON.stringify(line) + '\n')
  }
}

// The simulator's control port: it drops sockets and says 20051 when asked.
async function control (base, method, path, body) {
  const answer = await fetch(base + path, { method, body: body === undefined ? undefined : JSON.stringify(body) })
  return answer.json()
}

module.exports = { Report, control, expect, pause, until }
