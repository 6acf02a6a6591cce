// The beginning: signs in and dials the stream while the rest of the page is still being fetched. It imports little, so
// it runs first; whoever draws finds the first values there, or on their way.

import { open } from "./session.js";
import { start } from "./stream.js";

export const opened = open().then((signedIn) => {
  if (signedIn) start();
  return signedIn;
});
// Who is shown what went wrong is main.js, later; until then nobody's.
opened.catch(() => {});
