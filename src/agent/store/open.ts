import {readFileSync} from 'node:fs';
import {Refusal} from '../failure.ts';
import {ClaimStore} from './claim.ts';
import {storeVariable} from './config.ts';
import type {StoreConfig} from './config.ts';
import type {SnapshotStore} from './store.ts';

type Environment = Readonly<Record<string, string | undefined>>;

function configIn(env: Environment): StoreConfig {
  try {
    // Written by the operator (storeInPod), which is of the same version.
    return JSON.parse(env[storeVariable] ?? '') as StoreConfig;
  } catch {
    throw new Refusal('BadUsage', `The environment variable ${storeVariable} must say where snapshots are.`);
  }
}

/** @throws {Refusal} BadUsage, StoreRefused */
export async function openStore(env: Environment): Promise<SnapshotStore> {
  const config = configIn(env);
  switch (config.kind) {
    case 'claim':
      return new ClaimStore(config);
    case 's3': {
      // AWS's client is large: it is loaded where it is used.
      const {openBucket} = await import('./s3.ts');
      return await openBucket(config, config.caFile === undefined ? undefined : readFileSync(config.caFile, 'utf8'));
    }
  }
}
