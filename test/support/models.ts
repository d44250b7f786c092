import type {
  Check,
  CheckResult,
  Download,
  Fit,
  FoundModel,
  ModelPlace,
  SuggestedModel,
} from '../../server/contract.ts';

const MEMORY = 18e9;

/** Two requests of 8,192 tokens, of a tenth of the weights each. */
export function fit(verdict: Fit['verdict'], weightsBytes: number): Fit {
  const cacheBytes = Math.round(weightsBytes / 5);
  const requests = 2;
  return {
    verdict,
    weightsBytes,
    cacheBytes,
    requests,
    tokensPerRequest: 8192,
    memoryBytes: MEMORY,
  };
}

const folder = '/Users/me/.lmstudio/models';
const chosen: FoundModel = {
  path: '/models/Qwen3-VL-8B-Instruct-4bit',
  name: 'Qwen3-VL-8B-Instruct-4bit',
  place: 'your folders',
  bytes: 5.2e9,
  type: 'qwen3_vl',
  quantization: '4-bit',
  seesPictures: true,
  fit: fit('fits', 5.2e9),
};
const gemma: FoundModel = {
  ...chosen,
  path: `${folder}/lmstudio-community/gemma-3-4b-it-MLX-4bit`,
  name: 'lmstudio-community/gemma-3-4b-it-MLX-4bit',
  place: 'LM Studio',
  bytes: 3.4e9,
  type: 'gemma3',
  fit: fit('fits', 3.4e9),
};
const tight: FoundModel = {
  ...chosen,
  path: 'mlx-community/Qwen2.5-VL-32B-Instruct-3bit',
  name: 'mlx-community/Qwen2.5-VL-32B-Instruct-3bit',
  place: 'Hugging Face cache',
  bytes: 14.4e9,
  type: 'qwen2_5_vl',
  quantization: '3-bit',
  fit: fit('tight', 14.4e9),
};
const tooLarge: FoundModel = {
  ...tight,
  path: 'mlx-community/Qwen2.5-VL-72B-Instruct-4bit',
  name: 'mlx-community/Qwen2.5-VL-72B-Instruct-4bit',
  bytes: 41.2e9,
  quantization: '4-bit',
  fit: fit('too_large', 41.2e9),
};
const blind: FoundModel = {
  ...tight,
  path: 'mlx-community/Qwen3-4B-Instruct-2507-4bit',
  name: 'mlx-community/Qwen3-4B-Instruct-2507-4bit',
  bytes: 2.3e9,
  type: 'qwen3',
  quantization: '4-bit',
  seesPictures: false,
  fit: fit('fits', 2.3e9),
};
const broken = (name: string, reason: string, message: string, remedy: string): FoundModel => ({
  path: `/models/${name}`,
  name,
  place: 'omlx',
  bytes: 1.1e9,
  problem: { reason, message, remedy },
});

/** What a search finds: every verdict, one that sees no pictures, and those that cannot be used. */
export const found: readonly FoundModel[] = [
  chosen,
  gemma,
  tight,
  tooLarge,
  blind,
  broken(
    'Qwen2-VL-2B-half',
    'incomplete',
    'Of its 2 weight files one is missing: model-00002-of-00002.safetensors.',
    'Download it again.',
  ),
  broken(
    'llava-torch',
    'not_mlx',
    'Its weights are PyTorch’s, which mlx_vlm cannot read.',
    'Look for an MLX version of it, as mlx-community has them.',
  ),
  broken(
    'future-vl',
    'unknown_type',
    'mlx_vlm does not know its type, future_vl.',
    'An update of Sightglass may know it.',
  ),
];

export const suggested: readonly SuggestedModel[] = [
  {
    id: 'mlx-community/SmolVLM2-500M-Video-Instruct-mlx',
    name: 'SmolVLM2 500M',
    bytes: 1.02e9,
    licence: 'Apache 2.0',
    note: 'The smallest: quick captions on any Mac.',
    fit: fit('fits', 1.02e9),
  },
  {
    id: 'mlx-community/Qwen2.5-VL-32B-Instruct-3bit',
    name: 'Qwen2.5-VL 32B',
    bytes: 14.4e9,
    licence: 'Apache 2.0',
    note: 'Reads documents and tables well.',
    fit: fit('tight', 14.4e9),
  },
  {
    id: 'mlx-community/gemma-3-12b-it-4bit',
    name: 'Gemma 3 12B',
    bytes: 8.1e9,
    licence: 'Gemma terms',
    note: 'Good all-round, in many languages.',
    fit: fit('fits', 8.1e9),
  },
  {
    id: 'mlx-community/Qwen2.5-VL-72B-Instruct-8bit',
    name: 'Qwen2.5-VL 72B',
    bytes: 78e9,
    licence: 'Qwen licence',
    note: 'The most able, for a Mac Studio.',
    fit: fit('too_large', 78e9),
  },
];

const id = 'mlx-community/gemma-3-12b-it-4bit';
const part = { id, doneBytes: 1.2e9, totalBytes: 3.1e9 };

/** A download in each phase, and what it may fail of. */
export const downloads = {
  starting: { id, phase: 'starting', doneBytes: 0 },
  downloading: { ...part, phase: 'downloading', bytesPerSecond: 24e6, secondsLeft: 80 },
  waiting: {
    ...part,
    phase: 'waiting',
    problem: {
      reason: 'offline',
      message: 'The network is away.',
      remedy: 'It continues automatically when the network is back.',
    },
  },
  verifying: { ...part, phase: 'verifying', doneBytes: 3.1e9 },
  paused: { ...part, phase: 'paused' },
  failed: {
    ...part,
    phase: 'failed',
    problem: {
      reason: 'disk_full',
      message: 'Not enough disk space: 1.90 GB are needed, and 1.10 GB are free.',
      remedy: 'Make room on the disk, then try again.',
    },
  },
  gated: {
    id: 'google/paligemma2-3b-mix-448',
    phase: 'failed',
    doneBytes: 0,
    problem: {
      reason: 'gated',
      message: 'Its owner gives google/paligemma2-3b-mix-448 only to those who have asked.',
      remedy: 'Accept its licence on huggingface.co, and give a token of your account here.',
    },
  },
} as const satisfies Record<string, Download>;

/** What a check found; all answers agreed. */
const checkResult: CheckResult = {
  model: 'Qwen3-VL-8B-Instruct-4bit',
  questions: 6,
  differing: [],
  speeds: [
    { streams: 1, tokensPerSecond: 41.2 },
    { streams: 2, tokensPerSecond: 66.8 },
    { streams: 4, tokensPerSecond: 88.1 },
  ],
  memoryBytes: 6.1e9,
  recommended: 2,
};

/** A check in each phase, and what it may find. */
export const checks = {
  running: { phase: 'running', done: 7, of: 18 },
  agreed: { phase: 'done', result: checkResult },
  differed: {
    phase: 'done',
    result: {
      ...checkResult,
      differing: [
        {
          streams: 2,
          alone: 'A red circle on a white background.',
          together: 'A red circle on a on a on a',
        },
        { streams: 4, alone: 'The number 7.', together: 'The picture shows a blue square.' },
      ],
      recommended: 1,
    },
  },
  failed: { phase: 'failed', message: 'The model was unloaded while it was being checked.' },
} as const satisfies Record<string, Check>;

export const modelPlaces: readonly ModelPlace[] = [
  { name: 'Hugging Face cache', folder: '/Users/me/.cache/huggingface/hub', exists: true },
  { name: 'omlx', folder: '/Users/me/.omlx/models', exists: false },
  { name: '/models', folder: '/models', exists: true },
];
