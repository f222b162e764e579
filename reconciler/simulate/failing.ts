// Tells when requests begin to fail, and when they no longer do.
import type { Story } from './story.ts';
import type { RequestCounts } from './traffic.ts';

export interface Failing {
  /** At a moment, epoch ms. */
  look(now: number): void;
}

/** So long without a failure, and it is over. */
const CALM_MS = 5_000;

export function createFailing(
  services: readonly string[],
  countsOf: (service: string) => RequestCounts,
  story: Pick<Story, 'add'>,
): Failing {
  const known = services.map((service) => ({ service, failed: 0, outage: null as Outage | null }));

  return {
    look(now) {
      for (const each of known) {
        const { service, outage } = each;
        const failed = countsOf(service).failed - each.failed;
        each.failed += failed;
        if (failed > 0) {
          if (outage === null)
            story.add('requests-failing', {
              service,
              reason: 'a replica died under them, or none accepts any',
            });
          each.outage = { since: outage?.since ?? now, until: now, count: (outage?.count ?? 0) + failed };
        } else if (outage !== null && now - outage.until >= CALM_MS) {
          story.add('requests-fine', { service, reason: outageText(outage) });
          each.outage = null;
        }
      }
    },
  };
}

// Private

interface Outage {
  readonly since: number;
  readonly until: number;
  readonly count: number;
}

function outageText({ since, until, count }: Outage): string {
  const many = count === 1 ? '1 request' : `${count} requests`;
  return since === until ? `${many} failed` : `${many} failed within ${Math.round((until - since) / 1000)} s`;
}
