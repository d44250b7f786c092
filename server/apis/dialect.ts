import type { ApiError } from '../errors.ts';
import type { Answer, AnswerDelta, CollectedAnswer } from '../generation/answer.ts';
import type { GenerationRequest } from '../generation/request.ts';
import type { IgnoredFields } from './parse-body.ts';

/** One HTTP API to ask the model by: OpenAI's chat completions and Responses, Anthropic's Messages. */
export interface Dialect {
  /**
   * Reads the body of a request.
   * @throws InvalidRequestError that names the field
   */
  read(body: unknown): Exchange;
}

/** One request of a dialect, and how its answers are written. */
export interface Exchange {
  request: GenerationRequest;
  /** Fields that have no effect; they are reported to the client. */
  ignored: IgnoredFields;
  /** The body of the whole answer. */
  toBody(head: AnswerHead, answers: readonly FinishedAnswer[]): object;
  createEvents(head: AnswerHead): AnswerEvents;
}

/** What an answer says of itself: the request's id, its second, the model the client named. */
export interface AnswerHead {
  requestId: string;
  created: number;
  model: string;
  systemFingerprint: string;
}

export interface FinishedAnswer {
  answer: Answer;
  collected: CollectedAnswer;
}

/** Writes the Server-Sent Events of one request. Every method gives the text to send, if any. */
export interface AnswerEvents {
  /** What is new in answer number `index`; `answer` is all of it so far. */
  delta(index: number, delta: AnswerDelta, answer: Answer): string;
  /** Answer number `index` is complete. */
  finish(index: number, answer: Answer): string;
  /** All answers are. */
  end(answers: readonly Answer[]): string;
  /** The request has failed after its first event. */
  fail(error: ApiError): string;
}
