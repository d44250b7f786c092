import type { ApiError } from '../errors.ts';
import type { Answer, AnswerDelta, CollectedAnswer } from '../generation/answer.ts';
import type { GenerationRequest } from '../generation/request.ts';
import type { IgnoredFields } from './parse-body.ts';

/** One of the supported APIs: OpenAI's Chat Completions or Responses, or Anthropic's Messages. */
export interface Dialect {
  /**
   * Reads the body of a request.
   * @throws InvalidRequestError that names the field
   */
  read(body: unknown): Exchange;
}

/** A parsed request, and how to write its response. */
export interface Exchange {
  request: GenerationRequest;
  /** Fields without effect, which are reported to the client. */
  ignored: IgnoredFields;
  /** The body of a response that is not streamed. */
  toBody(head: AnswerHead, answers: readonly FinishedAnswer[]): object;
  createEvents(head: AnswerHead): AnswerEvents;
}

/** The metadata of a response. */
export interface AnswerHead {
  requestId: string;
  /** Unix time in seconds. */
  created: number;
  /** The model name in the request, or the id of the served model. */
  model: string;
  systemFingerprint: string;
}

export interface FinishedAnswer {
  answer: Answer;
  collected: CollectedAnswer;
}

/** Writes the Server-Sent Events of one response. Each method returns the text to send, or ''. */
export interface AnswerEvents {
  /** What is new in answer number `index`. `answer` is the whole answer so far. */
  delta(index: number, delta: AnswerDelta, answer: Answer): string;
  /** Answer number `index` is complete. */
  finish(index: number, answer: Answer): string;
  /** All answers are complete. */
  end(answers: readonly Answer[]): string;
  /** The request failed after its first event. */
  fail(error: ApiError): string;
}
