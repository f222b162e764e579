// Bugs that a test must find: at least one against each law (design.md 3) and each guard that holds a rollout back.
// `from` is found exactly once in `file`; whoever changes that line moves the mutant along.

export interface Mutant {
  /** The law, or the guard. */
  readonly against: string;
  /** What the program does wrong with it. */
  readonly bug: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Tests of which one must fail: the file, and a pattern of their names. */
  readonly killedBy: readonly (readonly [file: string, name?: string])[];
}

const ROLLOUT = 'test/simulation/rollout.test.ts';
const HEALING = 'test/simulation/healing.test.ts';
const OFFERS = 'test/simulation/offers.test.ts';
const GROUPS = 'test/simulation/groups.test.ts';
const PLACEMENT = 'test/simulation/placement.test.ts';
const HELD_BACK = 'test/simulation/held-back.test.ts';
const RIVALS = 'test/simulation/rivals.test.ts';
const LEASE = 'test/simulation/lease.test.ts';
const CHECK = 'test/plan/check.test.ts';
const GUARDS = 'test/plan/guards.test.ts';
const SCALE = 'test/plan/scale.test.ts';
const SCHEDULE = 'test/plan/schedule.test.ts';
const ADMIT = 'test/plan/admit.test.ts';
const SYNC = 'test/reconciler/sync.test.ts';
const HOUSE = 'test/architecture.test.ts';

const PLAN = 'reconciler/plan';

export const MUTANTS: readonly Mutant[] = [
  // 1. A healthy replica is never harmed by a new revision.
  {
    against: 'law 1',
    bug: 'one more than allowed may be missing',
    file: `${PLAN}/roll.ts`,
    from: 'levelOf(state, target, group) - target.spec.policy.unavailable)',
    to: 'levelOf(state, target, group) - target.spec.policy.unavailable - 1)',
    killedBy: [[ROLLOUT, 'replaces every replica']],
  },
  {
    against: 'law 1',
    bug: 'a new shape that has not shown that it starts already counts',
    file: `${PLAN}/roll.ts`,
    from: 'Math.max(wanted, wantedReplicas(before, state))',
    to: 'wanted',
    killedBy: [[ROLLOUT, 'waits until the new shape has proven itself']],
  },
  {
    against: 'law 1',
    bug: 'more are live than the surge allows',
    file: `${PLAN}/roll.ts`,
    from: 'levelOf(state, target, group) + target.spec.policy.surge',
    to: 'levelOf(state, target, group) + target.spec.policy.surge + 1',
    killedBy: [[ROLLOUT, 'replaces every replica']],
  },
  {
    against: 'law 1',
    bug: 'old replicas leave before the new ones are published',
    file: `${PLAN}/roll.ts`,
    from: 'if (!isPublished(before.state, actual)) return before;',
    to: '',
    killedBy: [[ROLLOUT, 'waits for a proxy that does not take the table']],
  },
  {
    against: 'law 1',
    bug: 'a replica is stopped while proxies still send it requests',
    file: `${PLAN}/depart.ts`,
    from: 'const unrouted = actual.published >= (state.route?.version ?? 0);',
    to: 'const unrouted = true;',
    killedBy: [[ROLLOUT, 'until every proxy has let go']],
  },
  {
    against: 'law 1',
    bug: 'the lowest number leaves first',
    file: `${PLAN}/roll.ts`,
    from: "Number(a.phase === 'ready') - Number(b.phase === 'ready') || b.number - a.number;\n}\n\n/** Of those",
    to: "Number(a.phase === 'ready') - Number(b.phase === 'ready') || a.number - b.number;\n}\n\n/** Of those",
    killedBy: [[ROLLOUT, 'highest number go first']],
  },
  {
    against: 'law 1',
    bug: 'a failed rollout is not rolled back',
    file: `${PLAN}/judge.ts`,
    from: "good !== null && policy.onFailure === 'rollback'",
    to: 'false',
    killedBy: [[ROLLOUT, 'crashes three times is rolled back']],
  },
  {
    against: 'law 1',
    bug: 'a group of a new name has nothing to do with the old one',
    file: `${PLAN}/renames.ts`,
    from: 'if (same) renames.set(name, same.name);',
    to: '',
    killedBy: [['test/plan/place.test.ts', 'what they are made of'], [GROUPS]],
  },
  {
    against: 'law 1',
    bug: 'a change of the placement replaces everything',
    file: `${PLAN}/deployments.ts`,
    from: 'return mayStay(replica.offer, groupOf(own, replica.group)?.placement, after);',
    to: 'return groupOf(own, replica.group)?.placement === after;',
    killedBy: [[PLACEMENT, 'keeps the replicas that fit it']],
  },
  {
    against: 'law 1',
    bug: 'a change of the placement replaces nothing',
    file: `${PLAN}/deployments.ts`,
    from: 'return mayStay(replica.offer, groupOf(own, replica.group)?.placement, after);',
    to: 'return true;',
    killedBy: [[PLACEMENT, 'keeps the replicas that fit it']],
  },
  // 2. The decision is pure.
  {
    against: 'law 2',
    bug: 'the plan reads the clock',
    file: `${PLAN}/place.ts`,
    from: 'now: number = 0,',
    to: 'now: number = Date.now(),',
    killedBy: [[HOUSE, 'no clock']],
  },
  {
    against: 'law 2',
    bug: 'the plan asks a backend',
    file: `${PLAN}/place.ts`,
    from: "import { pauseMs } from './backoff.ts';",
    to: "import { pauseMs } from './backoff.ts';\nimport { openFake } from '../../backends/fake.ts';\nvoid openFake;",
    killedBy: [[HOUSE, 'the plan is pure']],
  },
  // 3. Events only wake; a pass is idempotent.
  {
    against: 'law 3',
    bug: 'every pass makes a new route',
    file: `${PLAN}/routes.ts`,
    from: 'if (previous && isSameValue(previous, { ...route, version: previous.version })) return previous;',
    to: '',
    killedBy: [[GUARDS, 'looking twice']],
  },
  // 4. Intent before effect; nothing leaked, nothing twice.
  {
    against: 'law 4',
    bug: 'effects come before their intent is recorded',
    file: 'reconciler/reconcile.ts',
    from: 'if (!isSame(before, intended) || decision.events.length > 0) {',
    to: 'if (before === null) {',
    killedBy: [[ROLLOUT, 'gone on with where it was killed']],
  },
  {
    against: 'law 4',
    bug: 'an answer that was lost is taken for a refusal',
    file: `${PLAN}/outcome.ts`,
    from: "    case 'no-capacity':\n    case 'quota':",
    to: "    case 'transient':\n    case 'no-capacity':\n    case 'quota':",
    killedBy: [[OFFERS, 'asked the identical request']],
  },
  {
    against: 'law 4',
    bug: 'what nobody has seen yet is taken for gone',
    file: `${PLAN}/depart.ts`,
    from: 'if (replica.instance !== null || stageMs >= hiddenMs(replica.offer)) return gone(context);',
    to: 'if (stageMs >= 0) return gone(context);',
    killedBy: [[OFFERS, 'hides what it made']],
  },
  {
    against: 'law 4',
    bug: 'instances are not given back',
    file: 'reconciler/execute.ts',
    from: 'if (replica.instance) await backend.terminate(replica.instance);',
    to: '',
    killedBy: [[ROLLOUT, 'file is gone is ended']],
  },
  {
    against: 'law 4',
    bug: 'a service that comes back asks for what it had in its former life',
    file: `${PLAN}/deployments.ts`,
    from: 'firstAttempt: Math.max(1, Math.floor(now)),',
    to: 'firstAttempt: 1,',
    killedBy: [[ROLLOUT, 'name and token of its former life']],
  },
  {
    against: 'law 4',
    bug: 'what bears another owner’s tag is still taken for ours',
    file: 'reconciler/observe.ts',
    from: 'tags.owner === owner &&',
    to: '',
    killedBy: [[HEALING, 'bears another owner']],
  },
  {
    against: 'law 4',
    bug: 'the sweeper ends what belongs to services',
    file: 'reconciler/sweep.ts',
    from: 'if (!state && record?.desired) return true;',
    to: '',
    killedBy: [['test/simulation/sweep.test.ts']],
  },
  // 5. Never stuck without a word.
  {
    against: 'law 5',
    bug: 'nothing is said while there is no capacity',
    file: `${PLAN}/wait.ts`,
    from: "if (choice.kind !== 'none') return [];",
    to: 'if (choice.kind) return [];',
    killedBy: [[OFFERS, 'is told of by']],
  },
  {
    against: 'law 5',
    bug: 'nothing is said of a backend that cannot be reached',
    file: `${PLAN}/wait.ts`,
    from: "? [wait('backend', replica.name, null, fact.reason)]",
    to: '? []',
    killedBy: [[HEALING, 'cannot be reached']],
  },
  // 6. A file that fails to parse never deletes anything.
  {
    against: 'law 6',
    bug: 'a service whose file has errors is taken for gone',
    file: 'reconciler/desire.ts',
    from: '  keepFormer(snapshot, known, next);\n  return next;',
    to: '  return next;',
    killedBy: [[SYNC]],
  },
  {
    against: 'law 6',
    bug: 'errors empty the last good spec',
    file: 'reconciler/desire.ts',
    from: 'return { service: before?.service ?? null, removed: false, problems };',
    to: 'return { service: null, removed: false, problems };',
    killedBy: [[SYNC]],
  },
  {
    against: 'deletion budget',
    bug: 'a commit may remove any number of services',
    file: `${PLAN}/deletions.ts`,
    from: 'if (costs.length > allowed)',
    to: 'if (costs.length > allowed + 1_000)',
    killedBy: [[ADMIT], [SYNC]],
  },
  // 7. One writer per key.
  {
    against: 'law 7',
    bug: 'a lease that is over still gives the right to write',
    file: 'reconciler/store/memory.ts',
    from: 'return row?.lease?.token === token && leased(world, row) ? row : null;',
    to: 'return row ?? null;',
    killedBy: [['test/store/memory.test.ts'], [RIVALS]],
  },
  {
    against: 'law 7',
    bug: 'effects go on after the lease was lost',
    file: 'reconciler/reconcile.ts',
    from: '    if (lost.has(record.key))',
    to: '    if (lost.size < 0)',
    killedBy: [[LEASE, 'whose lease was lost']],
  },
  {
    against: 'law 7',
    bug: 'an effect begins that may outlast the lease',
    file: 'reconciler/reconcile.ts',
    from: 'if (claim.lease.until - at() < EFFECT_MS) break;',
    to: '',
    killedBy: [[LEASE, 'little is left']],
  },
  // 8. Traffic outlives us.
  {
    against: 'law 8',
    bug: 'a proxy takes an older table',
    file: 'proxy/routing.ts',
    from: 'if (offered.epoch === current.epoch && offered.generation >= current.generation) return null;',
    to: 'if (offered.epoch <= current.epoch) return null;',
    killedBy: [['test/proxy/fleet.test.ts'], ['test/proxy/drain.test.ts']],
  },
  // 9. Routes contain only replicas that were ready, and never become empty because of probes.
  {
    against: 'law 9',
    bug: 'there is no panic rule',
    file: `${PLAN}/routes.ts`,
    from: 'const chosen = ready.length > 0 ? ready : replicas.filter(acceptsConnections);',
    to: 'const chosen = ready;',
    killedBy: [[ROLLOUT, 'keeps its routes']],
  },
  {
    against: 'law 9',
    bug: 'candidates are routed before they are ready',
    file: `${PLAN}/routes.ts`,
    from: "const ready = replicas.filter((replica) => replica.phase === 'ready');",
    to: "const ready = replicas.filter((replica) => replica.phase === 'ready' || replica.phase === 'probing');",
    killedBy: [[ROLLOUT, 'replaces every replica']],
  },
  {
    against: 'law 9',
    bug: 'losing sight of a backend is taken for the loss of its replicas',
    file: 'reconciler/observe.ts',
    from: "if (failure.kind === 'not-found') return { kind: 'missing' };",
    to: "if (failure.kind !== 'bug') return { kind: 'missing' };",
    killedBy: [[HEALING, 'cannot be reached']],
  },
  {
    against: 'law 9',
    bug: 'readiness never drops',
    file: `${PLAN}/probes.ts`,
    from: 'return states.every((state) => state.failures < UNREADY_AFTER);',
    to: 'return true;',
    killedBy: [[HEALING, 'comes back']],
  },
  // 10. Paths stay inside, secrets appear nowhere.
  {
    against: 'law 10',
    bug: 'secrets are printed',
    file: 'backends/host/redact.ts',
    from: 'const [shown, rest] = mask(held + text, secret, hidden);',
    to: "const [shown, rest] = [held + text, ''];",
    killedBy: [['test/backends/host/redact.test.ts']],
  },
  // Guards of a rollout, and of what comes after.
  {
    against: 'quarantine',
    bug: 'what failed is tried again at once',
    file: `${PLAN}/aim.ts`,
    from: 'const isHeldBack = state.quarantine?.digest === service.digest && now < state.quarantine.until;',
    to: 'const isHeldBack = false;',
    killedBy: [[ROLLOUT, 'tried again when the file changes']],
  },
  {
    against: 'quarantine',
    bug: 'the world’s trouble is held against the revision',
    file: `${PLAN}/judge.ts`,
    from: "mine.filter((end) => end.kind === 'exit' && end.readyMs < HEALTHY_MS).length",
    to: 'mine.filter((end) => end.readyMs < HEALTHY_MS).length',
    killedBy: [[HEALING, 'taken away in a rollout']],
  },
  {
    against: 'quarantine',
    bug: 'a machine that is slow to come is held against the revision',
    file: `${PLAN}/judge.ts`,
    from: "kind: deadline.isWorlds ? 'slow' : 'unready'",
    to: "kind: 'unready'",
    killedBy: [[OFFERS, 'pulling an image']],
  },
  {
    against: 'quarantine',
    bug: 'a first deployment is quarantined',
    file: `${PLAN}/judge.ts`,
    from: "if (rollout?.outcome !== 'rolling' || goodOf(state) === null || state.good === state.target) return null;",
    to: "if (rollout?.outcome !== 'rolling') return null;",
    killedBy: [[ROLLOUT, 'cannot start at first']],
  },
  {
    against: 'hold',
    bug: 'a rollout that is held makes more candidates',
    file: `${PLAN}/roll.ts`,
    from: "return state.rollout?.outcome === 'failed' && state.rollout.to === target.number;",
    to: 'return state.rollout === null && target.number < 0;',
    killedBy: [[ROLLOUT, 'held where it is']],
  },
  {
    against: 'backoff',
    bug: 'a crashing replica is made again at once',
    file: `${PLAN}/roll.ts`,
    from: 'if (now < (state.backoff[group.name]?.until ?? 0)) return before;',
    to: '',
    killedBy: [[ROLLOUT, 'cannot start at first']],
  },
  {
    against: 'capacity',
    bug: 'the offer that was refused is asked for again',
    file: `${PLAN}/outcome.ts`,
    from: 'const choice = place(offers[replica.group], setAside, now);',
    to: 'const choice = place(offers[replica.group], [], now);',
    killedBy: [[OFFERS, 'followed by the next at once']],
  },
  {
    against: 'capacity',
    bug: 'what is set aside is set aside for ever',
    file: `${PLAN}/place.ts`,
    from: 'isOf(each, offer) && now < each.until',
    to: 'isOf(each, offer)',
    killedBy: [['test/plan/place.test.ts', 'until its time is over']],
  },
  {
    against: 'cannot-surge',
    bug: 'a full pool is called a want of capacity, without the way out',
    file: `${PLAN}/wait.ts`,
    from: 'if (live < wantedReplicas(group, state) || target.spec.policy.unavailable > 0)',
    to: 'if (live >= 0)',
    killedBy: [[OFFERS, 'costs an update nothing']],
  },
  {
    against: 'drain',
    bug: 'requests in flight are cut off',
    file: `${PLAN}/depart.ts`,
    from: 'if (inflight === 0 || stageMs >= spec.policy.drainMs)',
    to: 'if (stageMs >= 0)',
    killedBy: [[GUARDS, 'finishes what it is answering']],
  },
  {
    against: 'drain',
    bug: 'a request that never ends holds a replica for ever',
    file: `${PLAN}/depart.ts`,
    from: 'if (inflight === 0 || stageMs >= spec.policy.drainMs)',
    to: 'if (inflight === 0)',
    killedBy: [[GUARDS, 'takes no longer']],
  },
  {
    against: 'stop',
    bug: 'a process that does not end holds its replica for ever',
    file: `${PLAN}/depart.ts`,
    from: 'return stageMs < spec.stopMs + STOP_GRACE_MS',
    to: 'return stageMs >= 0',
    killedBy: [[HEALING, 'ignores even SIGKILL']],
  },
  {
    against: 'start and ready',
    bug: 'a candidate may take for ever',
    file: `${PLAN}/judge.ts`,
    from: 'if (!deadline || replica.stageMs < deadline.ms) return [];',
    to: 'if (deadline !== undefined) return [];',
    killedBy: [[ROLLOUT, 'whose probes never succeed']],
  },
  {
    against: 'start and ready',
    bug: 'time in which nobody looked is charged',
    file: `${PLAN}/advance.ts`,
    from: 'return Math.min(MAX_GAP_MS, Math.max(0, now - observedAt));',
    to: 'return Math.max(0, now - observedAt);',
    killedBy: [[ROLLOUT, 'laptop slept']],
  },
  {
    against: 'liveness',
    bug: 'all that do not answer are replaced at once',
    file: `${PLAN}/judge.ts`,
    from: 'if (!isDue || condemned >= allowed(policy)) return replica;',
    to: 'if (!isDue) return replica;',
    killedBy: [[HEALING, 'gone for too long']],
  },
  {
    against: 'interruption',
    bug: 'a notice is not heeded',
    file: `${PLAN}/withdraw.ts`,
    from: "const isTaken = fact.instance.status === 'stopping';",
    to: 'const isTaken = false;',
    killedBy: [[HEALING, 'will be taken away']],
  },
  {
    against: 'drift',
    bug: 'what was edited by hand is not seen',
    file: `${PLAN}/withdraw.ts`,
    from: 'if (tags.shape !== shape) return',
    to: "if (tags.shape === '') return",
    killedBy: [[HEALING, 'somebody has edited']],
  },
  {
    against: 'retry',
    bug: 'its limit counts from the first day of the service',
    file: `${PLAN}/retry.ts`,
    from: 'return readyIn(state, target, group) < wantedReplicas(group, state);',
    to: 'return readyIn(state, target, group) >= 0;',
    killedBy: [[HEALING, 'from the beginning of each incident']],
  },
  {
    against: 'retry',
    bug: 'events that it does not name are retried',
    file: `${PLAN}/retry.ts`,
    from: 'if (!retry.on.includes(incident.event))',
    to: 'if (retry.on.length === 0)',
    killedBy: [[HEALING, 'does not name an event']],
  },
  {
    against: 'suspended',
    bug: 'a suspended service is rolled out',
    file: `${PLAN}/aim.ts`,
    from: 'if (service === null || desired.suspended) return { state, events: [] };',
    to: 'if (service === null) return { state, events: [] };',
    killedBy: [[HELD_BACK, 'until it is let go']],
  },
  {
    against: 'scaling',
    bug: 'counts leave their bounds',
    file: `${PLAN}/scale.ts`,
    from: 'return Math.min(replicas.max, Math.max(replicas.min, count));',
    to: 'return Math.max(replicas.min, count);',
    killedBy: [[SCALE]],
  },
  {
    against: 'scaling',
    bug: 'the delay before fewer replicas is that before more',
    file: `${PLAN}/scale.ts`,
    from: 'dueAt: Math.max(since, quietAt) + scaling.downDelayMs',
    to: 'dueAt: Math.max(since, quietAt) + scaling.upDelayMs',
    killedBy: [[SCALE]],
  },
  {
    against: 'schedule',
    bug: 'a commit starts what only its schedule may start',
    file: `${PLAN}/schedule.ts`,
    from: "return spec.schedule ? { kind: 'scheduled', ...nextStart(spec.schedule.cron, now) } : STARTED;",
    to: "return now < 0 ? { kind: 'scheduled', ...nextStart(spec.schedule?.cron ?? [], now) } : STARTED;",
    killedBy: [[SCHEDULE]],
  },
  {
    against: 'checker',
    bug: 'it lets a decision touch what cannot be seen',
    file: `${PLAN}/check.ts`,
    from: "if (fact.kind === 'unknown') return [`",
    to: "if (fact.kind === 'unknown') return step.id ? [] : [`",
    killedBy: [[CHECK]],
  },
  {
    against: 'checker',
    bug: 'its findings are not heeded',
    file: 'reconciler/reconcile.ts',
    from: 'if (broken.length > 0) return refuse(claim, broken, at());',
    to: 'if (broken.length > 1_000) return refuse(claim, broken, at());',
    killedBy: [['test/simulation/refusal.test.ts']],
  },
];
