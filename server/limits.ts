/**
 * Every fixed limit of the service, with its reason. What people may want to change (the largest
 * body, the largest image, the memory for requests) is a setting instead: see `settings.ts`.
 */

// -- Receiving a request

/** koa-bodyparser parses bodies up to this size in one go: about 5 ms for the worst of them. */
export const ORDINARY_BODY_BYTES = 256_000;

/** Text of a body without its images. A million tokens of English are 4 to 5 MB. */
export const MAX_TEXT_BYTES = 8_000_000;

/** Values (texts, numbers, lists, objects) of a body: what parsing and validation cost most. */
export const MAX_VALUES = 50_000;

/** Levels of a body. Deeper than any schema a person writes; recursion fails at a few thousand. */
export const MAX_DEPTH = 100;

/** Items of a list: the most messages, parts of a message or choices of an enum. */
export const MAX_LIST_ITEMS = 10_000;

/** Messages of a conversation. A template takes about 0.3 ms for each, while streams wait. */
export const MAX_MESSAGES = 5000;

/** Functions offered to the model, as OpenAI has it. */
export const MAX_TOOLS = 128;

/** Calls of functions in one earlier answer. */
export const MAX_TOOL_CALLS = 1000;

/** Items of a list of fixed words, such as `include`: more than there are words. */
export const MAX_WORDS = 32;

/** Stop sequences of Anthropic's API. */
export const MAX_STOP_SEQUENCES = 64;

/** Fields of an object, such as the properties of a schema or the tokens of `logit_bias`. */
export const MAX_FIELDS = 5000;

/** An image's data URL that is longer than this stays as bytes, out of the JavaScript heap. */
export const LONG_STRING_BYTES = 16_384;

/** A body of which nothing has arrived for this long is given up. */
export const BODY_IDLE_MS = 30_000;

/** A large body that arrives more slowly than this, 0.13 Mbit/s, would hold its memory for too long. */
export const MIN_BODY_BYTES_PER_SECOND = 16_000;

/** Open connections. Each may hold an ordinary body and Node's own buffers. */
export const MAX_CONNECTIONS = 2048;

/** The part of the memory for requests that large bodies leave to ordinary ones. */
export const MEMORY_FOR_ORDINARY_BODIES = 0.125;

/** What a parsed value takes beside its text: its own, and its copies in validation. */
export const BYTES_PER_VALUE = 128;

/** When to come back if the memory for requests is in use: about how long an answer takes. */
export const MEMORY_RETRY_SECONDS = 5;

// -- Images

/** Images of one request; as many as OpenAI accepts. */
export const MAX_IMAGES = 1500;

/** Images of one request that are loaded at once. */
export const PARALLEL_LOADS = 6;

/** Downloads at once, of all requests together: sockets, and memory beyond the budget. */
export const MAX_DOWNLOADS = 16;

/** A decoder that needs more memory than this waits for the lane of the large images. */
export const SMALL_IMAGE_BYTES = 64 * 2 ** 20;

/** Small images decoded at once. With a large one that is three of libuv's four threads. */
export const SMALL_IMAGE_LANE = 2;

/** Large images decoded at once. */
export const LARGE_IMAGE_LANE = 1;

/**
 * Memory that decoding one image may take. Enough for photos of 134 megapixels, progressive ones
 * included; 16-bit images are limited to 89 megapixels by it, interlaced ones to 44.
 */
export const MAX_DECODER_BYTES = 512 * 2 ** 20;

/** Decoding is aborted after this time; the largest honest images take 1 to 2 s. */
export const DECODE_SECONDS = 20;

// -- Schemas that answers are held to

/** Values of a schema, its own and those of its parts: what compiling its grammar costs. */
export const MAX_SCHEMA_VALUES = 20_000;

/** Levels of a schema; llguidance reads no more than about 100. */
export const MAX_SCHEMA_DEPTH = 64;

// -- Response store

/** What a stored value takes beside its text. */
export const BYTES_PER_STORED_VALUE = 64;
