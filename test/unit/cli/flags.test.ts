import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlags } from '../../../server/cli/flags.ts';

const defaults = { modelPath: '/models/demo', host: '0.0.0.0' };
const parse = (...args: string[]) => parseFlags(args, {}, defaults);

test('without flags the defaults are the seed’s', () => {
  const { modelType, maxConcurrency, queueTimeoutSeconds, queueSize, port, host } = parse();
  assert.deepEqual(
    { modelType, maxConcurrency, queueTimeoutSeconds, queueSize, port, host },
    {
      modelType: 'mlx_vlm',
      maxConcurrency: 1,
      queueTimeoutSeconds: 300,
      queueSize: 100,
      port: 8000,
      host: '0.0.0.0',
    },
  );
});

test('every flag of the seed is taken', () => {
  const line =
    '--model-path m --model-type mlx_vlm --max-concurrency 2 --queue-timeout 5 --queue-size 7 --port 9 --host ::1';
  const { modelPath, maxConcurrency, queueTimeoutSeconds, queueSize, port, host } = parse(
    ...line.split(' '),
  );
  assert.deepEqual(
    [modelPath, maxConcurrency, queueTimeoutSeconds, queueSize, port, host],
    ['m', 2, 5, 7, 9, '::1'],
  );
});

test('the key can be set by the environment, and a flag overrides it', () => {
  const env = { SIGHTGLASS_API_KEY: 'from-env' };
  assert.equal(parseFlags([], env, defaults).apiKey, 'from-env');
  assert.equal(parseFlags(['--api-key', 'flag'], env, defaults).apiKey, 'flag');
});

const mistakes: [string[], RegExp][] = [
  [['--colour', 'red'], /^error: unknown option '--colour' \(see --help\)$/],
  [['extra'], /^error: too many arguments/],
  [['--port'], /^error: option '--port <port>' argument missing/],
  [['--port', 'http'], /^error: --port http: .*expected number/],
  [['--port', '70000'], /^error: --port 70000: .*65535/],
  [['--max-concurrency', '0'], /^error: --max-concurrency 0: /],
  [['--max-concurrency', '1.5'], /^error: --max-concurrency 1.5: .*expected int/],
  [['--queue-policy', 'lifo'], /^error: --queue-policy lifo: .*"fifo"\|"fair"/],
  [['--model-type', 'gguf'], /^error: --model-type gguf: only mlx_vlm is supported/],
];
for (const [args, expected] of mistakes) {
  test(`${args.join(' ')} is a one-line error with exit code 2`, () => {
    assert.throws(
      () => parse(...args),
      ({ message, exitCode }: Error & { exitCode: number }) => {
        assert.match(message, expected);
        assert.deepEqual([message.includes('\n'), exitCode], [false, 2]);
        return true;
      },
    );
  });
}
