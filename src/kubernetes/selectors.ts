/** One requirement of a label selector. `Exists` and its opposite have no values. */
interface Requirement {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values: readonly string[];
}

/** A label selector as kubectl and the API server write it: `team=a,env in (prod, test),!legacy`. Empty: it selects everything. */
export type LabelSelector = readonly Requirement[];

const key = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const value = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Parts between commas that stand in no parentheses. */
const parts = (text: string): string[] => (text.trim() === '' ? [] : text.split(/,(?![^(]*\))/).map((part) => part.trim()));

function requirementOf(part: string): Requirement {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
  if (set) return {key: set[1] ?? '', operator: set[2] === 'in' ? 'In' : 'NotIn', values: (set[3] ?? '').split(',').map((one) => one.trim())};
  const equality = /^([^=!]+?)\s*(==?|!=)\s*([^=!]*)$/.exec(part);
  if (equality) return {key: equality[1] ?? '', operator: equality[2] === '!=' ? 'NotIn' : 'In', values: [equality[3] ?? '']};
  const absent = /^!\s*(.+)$/.exec(part);
  return absent ? {key: absent[1] ?? '', operator: 'DoesNotExist', values: []} : {key: part, operator: 'Exists', values: []};
}

/**
 * Reads a label selector by the grammar of k8s.io/apimachinery/pkg/labels, without its comparisons of numbers (`>`, `<`).
 * @throws {RangeError} it is none; the message says which part of it
 */
export function parseSelector(text: string): LabelSelector {
  return parts(text).map((part) => {
    const requirement = requirementOf(part);
    if (!key.test(requirement.key) || !requirement.values.every((one) => value.test(one))) throw new RangeError(`${JSON.stringify(part)} is no requirement on a label`);
    return requirement;
  });
}

/** Whether labels fulfil every requirement. What is not there fulfils `!=` and `notin`, as for the API server. */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>> | undefined): boolean {
  return selector.every(({key: name, operator, values}) => {
    const found = labels?.[name];
    switch (operator) {
      case 'In': return found !== undefined && values.includes(found);
      case 'NotIn': return found === undefined || !values.includes(found);
      case 'Exists': return found !== undefined;
      case 'DoesNotExist': return found === undefined;
    }
  });
}
