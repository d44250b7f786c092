import type { ChatCompletion } from 'openai/resources/chat/completions';
import type { AnswerHead, FinishedAnswer } from '../generation/dialect.ts';
import { toUsage, type Usage } from '../generation/usage.ts';

type Choice = ChatCompletion.Choice;

/** OpenAI's `chat.completion`: every answer of a request, whole. */
export function toChatCompletion(head: AnswerHead, answers: readonly FinishedAnswer[]) {
  return {
    id: chatCompletionId(head),
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    choices: answers.map(toChoice),
    usage: toCompletionUsage(toUsage(answers.map(({ answer }) => answer))),
    service_tier: 'default',
    system_fingerprint: head.systemFingerprint,
  } satisfies ChatCompletion;
}

export function chatCompletionId({ requestId }: AnswerHead): string {
  return `chatcmpl-${requestId}`;
}

/** OpenAI's `usage` object. */
export function toCompletionUsage(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  } satisfies ChatCompletion['usage'];
}

/** With `reasoning_content`, which clients read though OpenAI's reference does not have it. */
function toChoice({ answer, collected }: FinishedAnswer, index: number): Choice {
  const { content, reasoning, toolCalls, logprobs } = collected;
  const message: Choice['message'] & { reasoning_content?: string } = {
    role: 'assistant',
    content: content === '' && toolCalls.length > 0 ? null : content,
    refusal: null,
    annotations: [],
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
  };
  if (toolCalls.length > 0) {
    message.tool_calls = toolCalls.map(({ id, type, name, arguments: text }) =>
      type === 'custom'
        ? { id, type, custom: { name, input: text } }
        : { id, type, function: { name, arguments: text } },
    );
  }
  return {
    index,
    message,
    logprobs: logprobs.length === 0 ? null : { content: asTokens(logprobs), refusal: null },
    finish_reason: answer.finishReason,
  };
}

/** mlx_vlm's logprobs have OpenAI's form (`ChatLogprobContent` in its `schemas.py`). */
function asTokens(logprobs: readonly unknown[]) {
  return logprobs as NonNullable<NonNullable<Choice['logprobs']>['content']>;
}
