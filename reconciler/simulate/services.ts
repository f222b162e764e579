// The services of a scenario: its files made into desired state by the real sync, and what each commit asks for known
// beforehand, so that a replica can be told by the commit that it is made of.
import type { Backend } from '../../backends/backend.ts';
import type { Placement } from '../../schemas/desired.ts';
import { asFailure } from '../../schemas/errors.ts';
import type { Market } from '../../schemas/offer.ts';
import { type Ask, priceOfMachine, priceOfSpec } from '../markets.ts';
import { processRequest } from '../process-request.ts';
import { createVault, type SecretSource, type Vault } from '../secrets.ts';
import { createSync } from '../sync.ts';
import { wantedOf } from '../wanted.ts';
import type { Edition } from './behaviours.ts';
import { type Origin, PROJECT } from './daemon.ts';
import type { Repository } from './repository.ts';
import type { Scenario } from './scenario/read.ts';

/** The same for every run, so that every run is the same. */
const KEY = Buffer.from('the key of a simulated installation');

export interface Services {
  readonly vault: Vault;
  readonly secrets: SecretSource;
}

export function servicesOf({ secrets }: Pick<Scenario, 'secrets'>): Services {
  const known = new Map(Object.entries(secrets));
  return { vault: createVault(KEY), secrets: (name) => known.get(name) ?? null };
}

export function originOf(
  { vault, secrets }: Services,
  repository: Repository,
  backends: ReadonlyMap<string, Backend>,
  { pollMs }: Pick<Scenario, 'pollMs'>,
): Origin {
  const ask: Ask = (placement) => marketOf(backends, placement);
  return {
    processOf: (deployment, replica, project) =>
      processRequest(vault, repository, deployment, replica, project),
    probesOf: ({ sealed }) => vault.open(sealed).probes,
    projectPass: ({ store, boundary }) =>
      createSync({
        project: PROJECT,
        source: repository,
        store,
        secrets,
        vault,
        refusal: () => null,
        apply: 'auto',
        approved: async () => null,
        priceOf: (spec, standing) => priceOfSpec(spec, ask, { ...standing, lasts: () => true }),
        priceOfMachine: (spec) => priceOfMachine(spec, ask, { lasts: () => true }),
        pollMs,
        random: () => 0.5,
        boundary,
      }),
  };
}

/** What each commit asks for of each service, in the order of the commits. */
export async function editionsOf(
  { vault, secrets }: Services,
  repository: Repository,
  { commits }: Pick<Scenario, 'commits'>,
): Promise<Edition[]> {
  const editions: Edition[] = [];
  for (const { number, name, files } of commits) {
    const { desired } = await wantedOf(
      [...files].map(([path, text]) => ({ path, text })),
      {
        root: '',
        secrets,
        vault,
        refusal: () => null,
        mountIds: (paths) => repository.mountIds(number, paths),
      },
    );
    for (const service of desired.values())
      editions.push({ commit: { number, name }, service, text: files.get(service.file) ?? '' });
  }
  return editions;
}

// Private

/** Without the patience of the real one, which would be real seconds. */
async function marketOf(backends: ReadonlyMap<string, Backend>, placement: Placement): Promise<Market> {
  const failures: { backend: string; message: string }[] = [];
  const lists = [...backends.values()].map((backend) =>
    backend.offers(placement).catch((error: unknown) => {
      failures.push({ backend: backend.name, message: asFailure(error).message });
      return [];
    }),
  );
  const offers = (await Promise.all(lists)).flat().toSorted((a, b) => a.price - b.price);
  return { offers, total: offers.length, excluded: [], failures };
}
