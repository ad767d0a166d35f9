// A reporter for node:test: what failed and why, each in its own words, at the end; nothing when all is well. Beside a reporter that tells all.

/** Why it failed, without what only follows from another failure. */
function reason({ details: { error } }) {
  if (['subtestsFailed', 'cancelledByParent'].includes(error.failureType)) return undefined;
  const cause = error.cause ?? error;
  // What a run of its own said of all that passed stands with the test itself.
  return (cause.message ?? String(cause)).split('\nTAP version')[0];
}

export default async function* failures(events) {
  const told = [];
  const path = [];
  for await (const { type, data } of events) {
    if (type === 'test:start') path.splice(data.nesting, path.length, data.name);
    if (type !== 'test:fail') continue;
    const why = reason(data);
    const names = [...path.slice(0, data.nesting), data.name].join(' › ');
    if (why !== undefined) told.push(`FAILED ${names}\n${why.replace(/^/gm, '  ')}\n`);
  }
  yield told.join('');
}
