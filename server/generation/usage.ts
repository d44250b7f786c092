import type { Answer } from './answer.ts';

/** Tokens of one request, all its answers together. */
export interface Usage {
  promptTokens: number;
  /** Of the prompt: those that the prefix cache gave. */
  cachedTokens: number;
  completionTokens: number;
  /** Of the completion: those of the reasoning. */
  reasoningTokens: number;
}

/** Sums up the answers of one request. Its prompt is counted once, as OpenAI does. */
export function toUsage(answers: readonly Answer[]): Usage {
  const prompt = answers[0]?.promptUsage;
  const sum = (count: (answer: Answer) => number) =>
    answers.reduce((total, answer) => total + count(answer), 0);
  return {
    promptTokens: prompt?.prompt_tokens ?? 0,
    cachedTokens: prompt?.prompt_tokens_details?.cached_tokens ?? 0,
    completionTokens: sum(({ tokens }) => tokens),
    reasoningTokens: sum(({ reasoningTokens }) => reasoningTokens),
  };
}
