import { describe, expect, test } from 'vitest';
import { readRows } from '../../../backends/catalog/csv.ts';
import { gpuRow, row } from './rows.ts';

const HEADER =
  'instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,cpu_arch,provider_data';

function read(...lines: readonly string[]) {
  return readRows('aws', 'aws.csv', [HEADER, ...lines].join('\n'));
}

describe('a line of a price list', () => {
  test('becomes a row, whatever its provider keeps to itself', () => {
    const { rows, bad } = read(
      'm5.xlarge,us-east-1,0.2,4,16.0,0,,,False,,,,x86,"{""fabrics"": [""a"", ""b""]}"',
      'g,eu,1.5,8,64.0,2,A100,80.0,True,512.0,nvidia,oci-spot new,arm,{}',
    );
    expect(bad).toEqual([]);
    expect(rows).toEqual([
      row(),
      gpuRow('A100', 2, 80, {
        instance: 'g',
        region: 'eu',
        price: 1.5,
        cpu: 8,
        memoryGib: 64,
        spot: true,
        diskGib: 512,
        flags: ['oci-spot', 'new'],
        arch: 'arm',
      }),
    ]);
  });

  test('of a list from before vendors and architectures is of NVIDIA or a TPU, and x86', () => {
    const { rows } = readRows(
      'gcp',
      'gcp.csv',
      [
        'instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size',
        'a,r,1,4,16,1,T4,16,False,',
        'b,r,1,4,16,1,tpu-v2-8,8,False,',
        'c,r,1,4,16,0,,,False,',
      ].join('\r\n'),
    );
    expect(rows.map(({ gpuName, gpuVendor, arch }) => [gpuName, gpuVendor, arch])).toEqual([
      ['T4', 'nvidia', 'x86'],
      ['v2-8', 'google', 'x86'],
      [null, null, 'x86'],
    ]);
  });

  test('says itself whose it is where there is a column for it', () => {
    const csv = `provider,${HEADER}\nlambdalabs,m5.xlarge,us-east-1,0.2,4,16.0,0,,,False,,,,x86,{}`;
    expect(readRows('all', 'all.csv', csv).rows).toEqual([row({ backend: 'lambda' })]);
    expect(readRows('DataCrunch', 'datacrunch.csv', csv.replace('lambdalabs', '')).rows).toEqual([
      row({ backend: 'verda' }),
    ]);
  });

  test('may have blanks around its numbers, and tabs between its flags', () => {
    const { rows, bad } = read('m5.xlarge,us-east-1, 0.2,4 , 16.0,0,,,False,,,oci-spot\tlambda-arm,x86,{}');
    expect([rows, bad]).toEqual([[row({ flags: ['oci-spot', 'lambda-arm'] })], []]);
  });

  test('may stand under columns in any order, with others between', () => {
    const csv =
      'spot,new,memory,cpu,gpu_count,price,location,instance_name\nfalse,?,16,4,0,2e-1,us-east-1,m5.xlarge';
    expect(readRows('aws', 'aws.csv', `\uFEFF${csv}\n\n`).rows).toEqual([row()]);
  });
});

describe('a line that cannot be read', () => {
  const GOOD = 'm5.xlarge,us-east-1,0.2,4,16.0,0,,,False,,,,x86,{}';

  test.each([
    ['m5,us-east-1,free,4,16,0,,,False,,,,x86,{}', '`price` is "free", which is not an amount'],
    ['m5,us-east-1,-1,4,16,0,,,False,,,,x86,{}', '`price` is "-1", which is not an amount'],
    ['m5,us-east-1,inf,4,16,0,,,False,,,,x86,{}', '`price` is "inf", which is not an amount'],
    [',us-east-1,1,4,16,0,,,False,,,,x86,{}', '`instance_name` is "", which is not a name'],
    ['m5,us-east-1,1,4.5,16,0,,,False,,,,x86,{}', '`cpu` is "4.5", which is not a count'],
    ['m5,us-east-1,0x10,4,16,0,,,False,,,,x86,{}', '`price` is "0x10", which is not an amount'],
    [
      'm5,us-east-1,1,4,16,99999999999,T4,16,False,,,,x86,{}',
      '`gpu_count` is "99999999999", which is not a count that a machine can have',
    ],
    ['m5,us-east-1,1,4,16,1,T4,16,maybe,,,,x86,{}', '`spot` is "maybe", which is not `True` or `False`'],
    ['m5,us-east-1,1,4,16,1,T4,16,True,,acme,,x86,{}', '`gpu_vendor` is "acme", which is not a vendor'],
    ['m5,us-east-1,1,4,16,0,,,False,,,,mips,{}', '`cpu_arch` is "mips", which is not `x86` or `arm`'],
    ['m5,us-east-1,1,4,16,0,,,False,,,,x86,{half', '`provider_data` is "{half", which is not JSON'],
    ['m5,us-east-1,1', '`cpu` is "", which is not a count'],
  ])('is named and costs no other: %s', (line, message) => {
    const { rows, bad } = read(GOOD, line, GOOD);
    expect(rows).toEqual([row(), row()]);
    expect(bad).toEqual([{ file: 'aws.csv', line: 3, message }]);
  });

  test('for a quote in the wrong place takes no other line with it', () => {
    const { rows, bad } = read(
      GOOD,
      'm5,"us"-east-1,1,4,16,0,,,False,,,,x86,{}',
      GOOD,
      '"m5,us-east-1',
      GOOD,
    );
    expect(rows).toEqual([row(), row(), row()]);
    expect(bad.map(({ line }) => line)).toEqual([3, 5]);
    expect(bad.map(({ message }) => message)).toEqual([
      expect.stringContaining('Quote'),
      expect.stringContaining('Quote'),
    ]);
  });

  test('may be the first: then it is no price list', () => {
    const { rows, bad } = readRows('aws', 'aws.csv', '<html>\n<p>Not found</p>\n');
    expect(rows).toEqual([]);
    expect(bad).toEqual([
      {
        file: 'aws.csv',
        line: 1,
        message:
          'this is no price list: there is no column instance_name, location, price, cpu, memory, gpu_count, spot',
      },
    ]);
  });

  test('is not there in an empty file', () => {
    expect(readRows('aws', 'aws.csv', '')).toEqual({ rows: [], bad: [], isList: false });
  });
});
