// What `trueup simulate --help` says of the format: enough to write a scenario by.

export const SIMULATE_HELP = `
A scenario in YAML; "-" reads standard input. Times are seconds or texts like
90s, 5m, 1h30m, 200ms; "20s..40s" is drawn by the seed. Everything but commits
is optional.

  seed: 1
  duration: 30m                 # else 15m after the last thing that happens
  backends:                     # else one, named cloud, that sells enough
    aws:
      offers: [{instance: h100, region: us, gpu: "H100:80GB:1", price: 2.5,
                spot: false, capacity: 3, cpu: 16, memory: 128GB, disk: 1TB}]
      capacity: 4               # of all offers together
      boot: 60s
      pull: 20s
      faults:
        - {kind: no-capacity, from: 5m, to: 8m}
        # no-capacity quota api-errors rate-limited unauthorized slow partition
        # and, at a moment: instance-lost interruption
  commits:                      # numbered from 1
    - at: 0s
      files: {web.dstack.yml: {type: service, name: web, port: 8000,
                               commands: [serve], replicas: 2}}
    - {at: 5m, folder: ./v2}    # the repository as this folder has it
    - {at: 9m, remove: [web.dstack.yml]}
  policy: {rollout: {surge: 1}} # trueup.yml, where a commit has none
  replicas:                     # SERVICE[/GROUP][@COMMIT][#NUMBER], or *
    web: {start: 5s, ready: 20s}
    web@2: {crash_after: 40s, exit: 1}
    # also: pull, never_ready, flaps: {every, for}, unhealthy_after, stop,
    # prints, contains
  traffic: {web: [{from: 1m, rps: 10, time: 200ms}, {from: 5m, rps: 10..50}]}
  reconciler: {crashes: [3m]}   # or every-step
  expect: {requests: {failed: 0}, converged: "<9m", services: {web: {ready: 2}}}

docs/simulate.md has all of it, and seven scenarios beside it.
Exit codes: 0 fine · 1 a rule was broken, or an expectation was not met
            2 the scenario cannot be read`;
