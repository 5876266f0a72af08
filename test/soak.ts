// `npm run soak -- --minutes 30 [--seed 1]`: the app under a long mixed load; prints memory as it goes and one JSON object.
import { parseArgs } from 'node:util';

import { soak } from './support/soak.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' } },
});
const report = await soak(Number(values.minutes) * 60, {
  seed: Number(values.seed),
  onSample: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(report)}\n`);
const { rssMb, descriptors, lostMessages, exitCode } = report;
// A connection may be on its way out when descriptors are counted; a leak of a long run is far more than two.
const isSound =
  rssMb.perThousandAnswers <= 1 &&
  descriptors.last <= descriptors.first + 2 &&
  lostMessages.length === 0 &&
  exitCode === 0;
if (!isSound) process.stderr.write('Something leaks or is lost: see the figures above.\n');
process.exitCode = isSound ? 0 : 1;
