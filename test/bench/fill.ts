import {randomBytes} from 'node:crypto';
import {setName} from '../e2e/etcd.ts';
import type {Scenario} from '../e2e/scenario.ts';
import {until} from '../e2e/wait.ts';

/** Values that are on their way at a time. */
const atOnce = 8;

/**
 * Adds incompressible values until the database file has the wanted size.
 * @param valueBytes size of each; larger ones are faster, and etcd takes no request of more than 1.5 MiB
 */
export async function fill(scenario: Scenario, megabytes: number, valueBytes = 64 * 1024): Promise<void> {
  const pod = `${setName}-0`;
  const size = async (): Promise<number> => (await scenario.tool.status(await scenario.member(pod))).dbSizeBytes;
  const key = (number: number): string => `fill/${String(number).padStart(8, '0')}`;
  for (let first = 0; await size() < megabytes * 1e6; first += atOnce) {
    const values = Array.from({length: atOnce}, () => randomBytes(valueBytes * 0.75).toString('base64'));
    // A disk that is this busy can cost a leader, and with it what was on its way: the same is written again.
    await until(`the values from ${key(first)} on`, async () => {
      const member = await scenario.member(pod);
      await Promise.all(values.map((value, index) => scenario.tool.put(member, key(first + index), value)));
      return true;
    }, {seconds: 120});
  }
}
