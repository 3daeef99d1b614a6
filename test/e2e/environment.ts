import {Lab} from '../lab/lab.ts';

/** Where the cases run, as the suite's main process tells them. */
export interface Environment {
  kubeconfig: string;
  /** Undefined in a cluster that was given: its nodes cannot be ended. */
  lab: Lab | undefined;
  /** Where a failed case leaves what is known of it. */
  output: string;
  /** Where the operator's pods are; undefined: it runs from the sources, and `operatorLog` has what it says. */
  operatorNamespace: string | undefined;
  operatorLog: string | undefined;
}

const text = (name: string): string | undefined => (process.env[name] === undefined || process.env[name] === '' ? undefined : process.env[name]);

/** A case's own view of the environment variables that `main.ts` sets. */
export function environment(): Environment {
  const labName = text('E2E_LAB');
  const lab = labName === undefined ? undefined : Lab.attach(labName);
  const kubeconfig = lab?.kubeconfig ?? text('KUBECONFIG');
  if (kubeconfig === undefined) throw new Error('run the cases by "make e2e", or name a running lab in E2E_LAB or a cluster in KUBECONFIG');
  return {
    kubeconfig, lab, output: text('E2E_OUTPUT') ?? 'e2e-output', operatorNamespace: text('E2E_OPERATOR_NAMESPACE'), operatorLog: text('E2E_OPERATOR_LOG'),
  };
}
