// Price lists as text, in the columns in which they are published.
import { strToU8, zipSync } from 'fflate';

const HEADER =
  'instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,cpu_arch,provider_data';

/** Without GPUs; USD per hour. */
export type Machine = readonly [name: string, region: string, price: number];

export function list(...machines: readonly Machine[]): string {
  const lines = machines.map(
    ([name, region, price]) => `${name},${region},${price},4,16.0,0,,,False,,,,x86,{}`,
  );
  return `${[HEADER, ...lines].join('\n')}\n`;
}

export function zip(files: { readonly [name: string]: string }): Uint8Array {
  return zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])));
}
