import {Ajv2020} from 'ajv/dist/2020.js';
import type {ValidateFunction} from 'ajv/dist/2020.js';

/** @param quotes whether paths of the value may be told: the keys of a Secret's value are as secret as the rest of it */
export function unlikeSchema(schema: unknown, data: unknown, quotes: boolean): string | undefined {
  let validate: ValidateFunction;
  try {
    // References to other documents are refused: nothing is ever fetched.
    validate = new Ajv2020({strict: false, validateFormats: false, logger: false}).compile(schema as object);
  } catch (error) {
    return `its schema cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (validate(data)) return undefined;
  const [first] = validate.errors ?? [];
  return `does not satisfy its schema${quotes && first !== undefined ? `: ${first.instancePath === '' ? 'the value' : first.instancePath} ${first.message ?? ''}` : ` (${first?.keyword ?? 'false'})`}`;
}
