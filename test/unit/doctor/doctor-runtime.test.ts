import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { examine, find, MODEL_LINES } from './examination.ts';
import { fakeMac, fakeResources, probeLines } from './fake-machine.ts';

/** How the runtime misbehaves, the check that notices, what it found, and the remedy. */
const RUNTIME_FAULTS: readonly {
  fault: string;
  check: string;
  lines?: object[];
  end?: string;
  found: RegExp;
  remedy: RegExp;
}[] = [
  {
    fault: 'a Python that does not start',
    check: 'python',
    lines: [],
    end: 'exit 127',
    found: /^Python does not start/,
    remedy: /remove resources\/runtime\/\.venv/,
  },
  {
    fault: 'a Python under Rosetta',
    check: 'python',
    lines: probeLines({ python: { machine: 'x86_64', native: false } }),
    found: /^3\.12\.4 for x86_64, which is not native on this Mac$/,
    remedy: /native Python 3\.11 to 3\.13/,
  },
  {
    fault: 'MLX that cannot be imported',
    check: 'mlx',
    lines: [
      ...probeLines().slice(0, 1),
      { event: 'failed', step: 'mlx', message: 'ImportError: dlopen: libmlx.dylib' },
    ],
    found: /^ImportError: dlopen: libmlx\.dylib$/,
    remedy: /run `npm start`/,
  },
  {
    fault: 'MLX that crashes the process',
    check: 'mlx',
    lines: probeLines().slice(0, 1),
    end: 'kill -SEGV $$',
    found: /^not reached: the process ended \(SIGSEGV\)$/,
    remedy: /run `npm start`/,
  },
  {
    fault: 'no Metal',
    check: 'gpu',
    lines: probeLines({ mlx: { metal: false } }),
    found: /^no Metal on Apple M3 Pro/,
    remedy: /virtual machine/,
  },
  {
    fault: 'a GPU that computes wrongly',
    check: 'gpu',
    lines: probeLines({ matmul: { correct: false } }),
    found: /multiplied matrices incorrectly$/,
    remedy: /Restart the Mac/,
  },
  {
    fault: 'MLX that does not use the GPU',
    check: 'gpu',
    lines: probeLines({ matmul: { device: 'Device(cpu, 0)' } }),
    found: /uses Device\(cpu, 0\) rather than the GPU/,
    remedy: /Restart the Mac/,
  },
  {
    fault: 'a GPU that crashes the process',
    check: 'gpu',
    lines: probeLines().slice(0, 2),
    end: 'kill -ABRT $$',
    found: /^not reached: the process ended \(SIGABRT\)$/,
    remedy: /Restart the Mac/,
  },
  {
    fault: 'mlx_vlm that cannot be imported',
    check: 'mlx_vlm',
    lines: [
      ...probeLines().slice(0, 3),
      {
        event: 'failed',
        step: 'mlx_vlm',
        message: "ModuleNotFoundError: No module named 'fastapi'",
      },
    ],
    found: /No module named 'fastapi'/,
    remedy: /run `npm start`/,
  },
  {
    fault: 'a model that does not exist',
    check: 'model',
    lines: [
      ...probeLines(),
      MODEL_LINES[0] ?? {},
      {
        ...MODEL_LINES[1],
        problem: {
          reason: 'model_not_found',
          message: 'There is no folder.',
          remedy: 'Choose one.',
        },
      },
    ],
    found: /^There is no folder\.$/,
    remedy: /^Choose one\.$/,
  },
  {
    fault: 'a model that is too large',
    check: 'model',
    lines: [...probeLines(), MODEL_LINES[0] ?? {}, { ...MODEL_LINES[1], weights_bytes: 60e9 }],
    found: /60\.0 GB of weights .* so it does not fit$/,
    remedy: /more quantized model/,
  },
];

for (const { fault, check: name, found, remedy, ...runtime } of RUNTIME_FAULTS) {
  test(`${fault} is reported with a remedy`, async (t) => {
    const resources = await fakeResources(t, runtime);
    const check = await find(name, examine({ resources }));
    assert.equal(check.status, 'failed');
    assert.match(check.found, found);
    assert.match(check.remedy ?? '', remedy);
  });
}

test('packages that differ from the lock are reported', async (t) => {
  const machine = fakeMac({
    readFile: async (path) => {
      if (path.endsWith('requirements.txt')) return 'mlx==0.32.5 ; x\nmlx-vlm==0.7.10 \\\n';
      throw new Error('missing');
    },
  });
  const report = examine({ resources: await fakeResources(t), machine });
  assert.deepEqual(
    [(await find('mlx', report)).found, (await find('mlx_vlm', report)).status],
    ['0.32.4, but 0.32.5 is expected', 'ok'],
  );
});

test('a runtime that was never set up fails, and what depends on it is skipped', async (t) => {
  const resources = await fakeResources(t);
  await rm(new URL('runtime/', resources), { recursive: true });
  const report = examine({ resources });
  assert.match((await find('python', report)).found, /not set up/);
  assert.equal((await find('model', report)).status, 'skipped');
});

test('a runtime that hangs is killed, and so is one that hangs over a model', async (t) => {
  const hangs = await fakeResources(t, { lines: probeLines().slice(0, 2), end: 'sleep 60' });
  const early = await examine({ resources: hangs, withinMs: 500 });
  const gpu = early.checks.find(({ name }) => name === 'gpu');
  assert.match(gpu?.found ?? '', /the process ended \(killed after 0\.5 s without a result\)/);
  const end = 'case "$*" in *runtime/doctor*) exit 0;; esac; exec sleep 60';
  const late = await examine({ resources: await fakeResources(t, { end }), withinMs: 500 });
  const model = late.checks.find(({ name }) => name === 'model');
  assert.match(model?.found ?? '', /could not be read within 0\.5 s$/);
  assert.match(model?.remedy ?? '', /disk/);
});
