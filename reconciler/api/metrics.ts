// A few gauges and counters in Prometheus's text format (0.0.4).
import { type Status, serviceStatusSchema } from '../../schemas/api.ts';
import type { FleetView } from '../../schemas/api-around.ts';
import type { ReporterHealth } from '../report/reporter.ts';
import { countsOf, unusedOf } from '../view/around.ts';

export type ReportingView = ReporterHealth & { readonly project: string };

/** `reporting`: of the projects whose commits get their statuses at GitHub from here. */
export function metricsText(
  statuses: readonly Status[],
  reporting: readonly ReportingView[],
  version: string,
): string {
  return [
    gauge('trueup_info', 'The running version.', [[{ version }, 1]]),
    gauge('trueup_services', 'Services by status.', statuses.flatMap(servicesByStatus)),
    gauge('trueup_replicas_desired', 'Replicas a service is meant to have.', perService(statuses, 'desired')),
    gauge('trueup_replicas_ready', 'Replicas of a service that are ready.', perService(statuses, 'ready')),
    gauge(
      'trueup_price_usd_per_hour',
      'What the instances of a service cost.',
      perService(statuses, 'pricePerHour'),
    ),
    gauge(
      'trueup_machines',
      'Machines of a fleet.',
      perFleet(statuses, ({ machines }) => machines.length),
    ),
    gauge(
      'trueup_machines_idle',
      'Machines of a fleet that are there and that nobody uses.',
      perFleet(statuses, (fleet) => countsOf(fleet).idle),
    ),
    gauge(
      'trueup_unused_usd_per_hour',
      'What the machines of a fleet cost that no service has; no service counts it.',
      perFleet(statuses, unusedOf),
    ),
    gauge(
      'trueup_github_reporting',
      'Whether statuses are set at GitHub; 0: its credential was refused.',
      reporting.map(({ project, isReporting }) => [{ project }, Number(isReporting)]),
    ),
    counter(
      'trueup_github_statuses_total',
      'Statuses set at GitHub.',
      reporting.map(({ project, posts }) => [{ project }, posts]),
    ),
    counter(
      'trueup_github_failures_total',
      'Times that GitHub did not take one.',
      reporting.map(({ project, failures }) => [{ project }, failures]),
    ),
  ].join('');
}

// Private

type Labels = { readonly [name: string]: string };
type Sample = readonly [Labels, number];

function gauge(name: string, help: string, samples: readonly Sample[]): string {
  return metric('gauge', name, help, samples);
}

function counter(name: string, help: string, samples: readonly Sample[]): string {
  return metric('counter', name, help, samples);
}

function metric(type: 'gauge' | 'counter', name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => `${name}{${labelText(labels)}} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const escaped = (value: string) =>
    value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');
}

/** Every status is there, also at 0, so that an alert can tell "none" from "no data". */
function servicesByStatus({ project, services }: Status): Sample[] {
  return serviceStatusSchema.options.map((status) => [
    { project, status },
    services.filter((service) => service.status === status).length,
  ]);
}

function perFleet(statuses: readonly Status[], of: (fleet: FleetView) => number): Sample[] {
  return statuses.flatMap(({ project, around }) =>
    around.flatMap((each) =>
      each.kind === 'fleet' ? [[{ project, fleet: each.name }, of(each)] as const] : [],
    ),
  );
}

function perService(statuses: readonly Status[], member: 'desired' | 'ready' | 'pricePerHour'): Sample[] {
  return statuses.flatMap(({ project, services }) =>
    services.map((service): Sample => [{ project, service: service.name }, service[member]]),
  );
}
