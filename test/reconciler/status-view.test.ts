// How the answer of `trueup why` looks: nothing in it that tells nothing.
import { expect, test } from 'vitest';
import { render } from '../../reconciler/cli/screen.ts';
import { whyBlocks } from '../../reconciler/view/status.ts';
import type { Why } from '../../schemas/api.ts';

const WHY: Why = {
  service: 'web',
  status: 'failed',
  waiting: [],
  next: 'Nothing.',
  problems: [],
  failure: {
    replica: 'web-1',
    deployment: 1,
    time: '2026-11-29T12:00:00.000Z',
    reason: 'exited with code 1',
    log: ['boom'],
    probes: [
      { streak: 0, failures: 0, detail: 'not probed yet' },
      { streak: 0, failures: 3, detail: '500' },
      { streak: 2, failures: 0, detail: '200' },
    ],
  },
};

test('probes that were asked are shown with a failure, those that never were are not', () => {
  const text = render(whyBlocks(WHY), { width: 80, height: 24, colour: false, live: false });
  expect(text).not.toContain('not probed yet');
  expect(text).toContain('probe 2: 500 (3 failed in a row)');
  expect(text).toContain('probe 3: 200 (2 passed in a row)');
  expect(text).toContain('| boom');
});
