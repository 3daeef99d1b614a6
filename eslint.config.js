import tseslint from 'typescript-eslint';

export default tseslint.config(
  {ignores: ['dist/', 'node_modules/', 'eslint.config.js']},
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {parserOptions: {project: './tsconfig.json'}},
    rules: {
      // It counts `?.` and `??` too, and nearly every field of Kubernetes' types is optional.
      complexity: ['error', {max: 24, variant: 'modified'}],
      'max-depth': ['error', 3],
      'max-lines': ['error', {max: 400, skipComments: true, skipBlankLines: true}],
      'max-params': ['error', 5],
      'no-console': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', {allowNumber: true, allowBoolean: true}],
      // It fires on every object literal that is given where client-node declares a model class.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // client-node declares its models as classes, and every object of them is plain JSON.
      '@typescript-eslint/no-misused-spread': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/kubernetes/client-node.ts'],
    rules: {'@typescript-eslint/no-restricted-imports': ['error', {paths: [{name: '@kubernetes/client-node', allowTypeImports: true, message: 'What runs of it comes from src/kubernetes/client-node.ts: the image has nothing else of it.'}]}]},
  },
  {
    // Tests and the lab's command line print for people, and mocha's describe/it return what they like.
    files: ['test/**/*.ts'],
    rules: {'no-console': 'off', '@typescript-eslint/no-unused-expressions': 'off', complexity: ['error', {max: 30, variant: 'modified'}], 'max-params': ['error', 8], 'max-depth': ['error', 5]},
  },
);
