// `terraform plan` where nothing is to do, over resources that cost it the least: built in, without a cloud, one short
// attribute each. The state is written as `apply` would have left it, because applying takes quadratic time.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { peakMbOf, toolVersion } from './machine.ts';

export interface Terraform {
  /** One plan that finds no change. */
  plan(): Promise<{ readonly ms: number; readonly peakMb: number }>;
}

/** null where there is no terraform. */
export function prepareTerraform(dir: string, resources: number): Terraform | null {
  const version = /\d.*/.exec(terraformVersion())?.[0];
  if (version === undefined) return null;
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'main.tf'), configuration(resources));
  writeFileSync(join(dir, 'terraform.tfstate'), JSON.stringify(appliedState(resources, version)));
  execFileSync('terraform', ['init', '-input=false'], { cwd: dir, env: environment(), stdio: 'ignore' });
  return { plan: () => plan(dir) };
}

/** '' where there is none. */
export function terraformVersion(): string {
  return toolVersion('terraform', ['version']);
}

// Private

/** Exit code 0 of `-detailed-exitcode` says that there was nothing to change. */
async function plan(dir: string): Promise<{ readonly ms: number; readonly peakMb: number }> {
  const args = ['plan', '-input=false', '-no-color', '-detailed-exitcode'];
  const started = performance.now();
  const child = spawn('terraform', args, { cwd: dir, env: environment(), stdio: 'ignore' });
  let peakMb = 0;
  const look = () => {
    peakMb = Math.max(peakMb, peakMbOf(child.pid ?? 0) ?? 0);
  };
  const timer = setInterval(look, 20);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearInterval(timer);
  if (code !== 0)
    throw new Error(`terraform plan ended with ${code}: its state does not fit its configuration`);
  return { ms: performance.now() - started, peakMb };
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, TF_CLI_CONFIG_FILE: '/dev/null', CHECKPOINT_DISABLE: '1' };
}

/** A block for each: with one block and a `count` of 10,000, terraform takes several times as long. */
function configuration(resources: number): string {
  const block = (name: string) => `resource "terraform_data" "${name}" {\n  input = "${name}"\n}\n`;
  return namesOf(resources).map(block).join('\n');
}

function namesOf(resources: number): string[] {
  return Array.from({ length: resources }, (_, i) => `service-${i}`);
}

function appliedState(resources: number, version: string) {
  const instanceOf = (name: string) => {
    const value = { value: name, type: 'string' };
    const attributes = { id: `id-${name}`, input: value, output: value, triggers_replace: null };
    return { schema_version: 0, attributes, sensitive_attributes: [] };
  };
  const provider = 'provider["terraform.io/builtin/terraform"]';
  return {
    version: 4,
    terraform_version: version,
    serial: 1,
    lineage: '00000000-0000-4000-8000-000000000000',
    outputs: {},
    resources: namesOf(resources).map((name) => ({
      mode: 'managed',
      type: 'terraform_data',
      name,
      provider,
      instances: [instanceOf(name)],
    })),
  };
}
