// The page at `/`: what runs, what is wrong, what is waited for. Rendered here, read only, no script, everything escaped.
import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { EventView, ReplicaView, ServiceView, Status } from '../../schemas/api.ts';
import type { AroundView, FleetView, MachineView, VolumeView } from '../../schemas/api-around.ts';
import { attentionTo, countsOf, holders, placeOf, sizeOf, unusedOf, whoseText } from '../view/around.ts';
import { clock, money, shortCommit, toneOf } from '../view/cells.ts';
import { attentionOf } from '../view/status.ts';

/** Nothing may load, run, frame or post; the one style is named by its hash. */
export function pageHeaders(): { readonly [name: string]: string } {
  const style = createHash('sha256').update(STYLE).digest('base64');
  return {
    'content-security-policy': `default-src 'none'; style-src 'sha256-${style}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  };
}

export function pageOf(statuses: readonly Status[], events: readonly EventView[], version: string) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta http-equiv="refresh" content="5" />
    <link rel="icon" href="data:," />
    <title>trueup</title>
    ${styleTag}
  </head>
  <body>
    <header><b>trueup</b> <span class="dim">${version}</span></header>
    ${statuses.map(projectSection)}
    <section>
      <h2>Latest events</h2>
      ${events.length === 0 ? html`<p class="dim">Nothing happened yet.</p>` : eventTable(events)}
    </section>
  </body>
</html>`;
}

// Private

function projectSection({ project, commit, services, around, problems }: Status) {
  const fleets = around.filter((each) => each.kind === 'fleet');
  const volumes = around.filter((each) => each.kind === 'volume');
  return html`<section>
    <h2>${project} <span class="dim">${commit ? shortCommit(commit) : 'no commit read yet'}</span></h2>
    ${problems.map((problem) => html`<p class="bad">${problem.file}:${problem.line} ${problem.message}</p>`)}
    ${services.length === 0 ? html`<p class="dim">No services.</p>` : serviceTable(services)}
    ${fleets.length === 0 ? '' : fleetTable(fleets)}
    ${volumes.length === 0 ? '' : volumeTable(volumes)}
  </section>`;
}

function serviceTable(services: readonly ServiceView[]) {
  return html`<table>
    <thead>
      <tr><th>Service</th><th>Status</th><th>Ready</th><th>Deployment</th><th>Replicas</th><th>Price</th></tr>
    </thead>
    <tbody>${services.map(serviceRow)}</tbody>
  </table>`;
}

function serviceRow(service: ServiceView) {
  const attention = attentionOf(service);
  return html`<tr>
    <td><a href="${service.url}">${service.name}</a>${attention ? html`<div class="note">${attention}</div>` : ''}</td>
    <td class="${toneOf(service.status)}">${service.status}</td>
    <td>${service.ready}/${service.desired}</td>
    <td>${service.deployment ?? '-'}</td>
    <td>${service.replicas.map(replicaLine)}</td>
    <td>${money(service.pricePerHour)}</td>
  </tr>`;
}

function replicaLine(replica: ReplicaView) {
  const probes = replica.probes.map(({ mark }) => mark).join('');
  return html`<div>${replica.name} <span class="dim">${replica.phase} ${probes}</span></div>`;
}

function fleetTable(fleets: readonly FleetView[]) {
  return html`<table>
    <thead>
      <tr><th>Fleet</th><th>Status</th><th>Used</th><th>Kept</th><th>Machines</th><th>Unused</th></tr>
    </thead>
    <tbody>${fleets.map(fleetRow)}</tbody>
  </table>`;
}

function fleetRow(fleet: FleetView) {
  return html`<tr>
    ${nameCell(fleet)}
    <td>${countsOf(fleet).used}/${fleet.machines.length}</td>
    <td>${fleet.nodes.min}</td>
    <td>${fleet.machines.map(machineLine)}</td>
    <td>${money(unusedOf(fleet))}</td>
  </tr>`;
}

function machineLine(machine: MachineView) {
  return html`<div>${machine.name} <span class="dim">${whoseText(machine)}</span></div>`;
}

function volumeTable(volumes: readonly VolumeView[]) {
  return html`<table>
    <thead><tr><th>Volume</th><th>Status</th><th>Where</th><th>Size</th><th>Held by</th></tr></thead>
    <tbody>${volumes.map(volumeRow)}</tbody>
  </table>`;
}

function volumeRow(volume: VolumeView) {
  return html`<tr>
    ${nameCell(volume)}
    <td>${placeOf(volume)}</td>
    <td>${sizeOf(volume)}</td>
    <td>${holders(volume)}</td>
  </tr>`;
}

function nameCell(view: AroundView) {
  const attention = attentionTo(view);
  return html`<td>${view.name}${attention ? html`<div class="note">${attention}</div>` : ''}</td>
    <td class="${toneOf(view.status)}">${view.status}</td>`;
}

function eventTable(events: readonly EventView[]) {
  return html`<table>
    <tbody>
      ${events.map(
        ({ time, service, event, reason }) =>
          html`<tr><td class="dim">${clock(time)}</td><td>${service}</td><td>${event}</td><td>${reason}</td></tr>`,
      )}
    </tbody>
  </table>`;
}

const STYLE = `
:root { color-scheme: light dark; --dim: #6b7280; --good: #15803d; --warn: #b45309; --bad: #b91c1c; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --dim: #9ca3af; --good: #4ade80; --warn: #fbbf24; --bad: #f87171; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table + table { margin-top: 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
td:first-child { overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: normal; }
a { color: inherit; }
.dim, .note { color: var(--dim); } .note { font-size: .9em; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
`;

const styleTag = raw(`<style>${STYLE}</style>`);
