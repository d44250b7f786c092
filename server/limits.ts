/**
 * The fixed limits on requests, each with its reason. Limits that people may want to change (body
 * size, image size, memory for requests) are settings instead: see `settings.ts`.
 */

// -- Receiving a request

/** Bodies up to this size are left to koa-bodyparser, which blocks for at most about 5 ms. */
export const ORDINARY_BODY_BYTES = 256_000;

/** Text in a body, not counting images. A million tokens of English are 4 to 5 MB. */
export const MAX_TEXT_BYTES = 8_000_000;

/** Values (strings, numbers, lists, objects) in a body: most of the cost of parsing and validation. */
export const MAX_VALUES = 50_000;

/** Nesting levels of a body. Real schemas have far fewer; recursion overflows at a few thousand. */
export const MAX_DEPTH = 100;

/** Items in a list, such as the choices of an enum: more than real requests have. */
export const MAX_LIST_ITEMS = 10_000;

/** Messages in a conversation. The chat template takes about 0.3 ms for each and blocks streams. */
export const MAX_MESSAGES = 5000;

/** Tools in a list or a namespace; OpenAI's limit. */
export const MAX_TOOLS = 128;

/** Tools offered to the model, those of all namespaces included: more than a context has room for. */
export const MAX_OFFERED_TOOLS = 1024;

/** Tool calls in one earlier answer; far more than a model makes. */
export const MAX_TOOL_CALLS = 1000;

/** Items in a list of keywords, such as `include`; there are fewer keywords than this. */
export const MAX_WORDS = 32;

/** Stop sequences: more than clients use. */
export const MAX_STOP_SEQUENCES = 64;

/** Fields in an object, such as the tokens in `logit_bias`: more than real requests have. */
export const MAX_FIELDS = 5000;

/** Longer data URLs are kept as bytes, outside the JavaScript heap. */
export const LONG_STRING_BYTES = 16_384;

/** A body that has not made progress for this long is rejected. */
export const BODY_IDLE_MS = 30_000;

/** A large body that arrives more slowly (0.13 Mbit/s) would occupy its memory for too long. */
export const MIN_BODY_BYTES_PER_SECOND = 16_000;

/** Open connections. Each may hold an ordinary body and Node's own buffers in memory. */
export const MAX_CONNECTIONS = 2048;

/** The share of the memory for requests that is reserved for ordinary bodies. */
export const MEMORY_FOR_ORDINARY_BODIES = 0.125;

/** Memory for a parsed value besides its text: the value itself, and its copies in validation. */
export const BYTES_PER_VALUE = 128;

/** `Retry-After` when the memory for requests is in use: about how long an answer takes. */
export const MEMORY_RETRY_SECONDS = 5;

/** Our longer response headers. Proxies limit all headers of a response to 4 or 8 KB. */
export const MAX_HEADER_CHARACTERS = 1024;

/** Ignored fields of a request that are kept by name; further ones are counted. */
export const MAX_IGNORED_PATHS = 200;

/** The path of an ignored field is cut to this length. */
export const MAX_IGNORED_PATH_CHARACTERS = 200;

/** Keys in `chat_template_kwargs`; templates know a handful. */
export const MAX_TEMPLATE_KWARGS = 64;

/** Quotes from a request in an error, such as a field's name, are cut to this length. */
export const MAX_ERROR_CHARACTERS = 2000;

// -- Images

/** The longest URL of an image that is downloaded; most servers accept about 8,000 characters. */
export const MAX_URL_CHARACTERS = 16_000;

/** A media type: two names of at most 127 characters (RFC 6838, section 4.2). */
export const MAX_MEDIA_TYPE_CHARACTERS = 255;

/** Images in one request; OpenAI's limit. */
export const MAX_IMAGES = 1500;

/** Images of one request loaded concurrently; it leaves downloads for other requests. */
export const PARALLEL_LOADS = 6;

/** Concurrent downloads of all requests. Each takes a socket, and buffers outside the budget. */
export const MAX_DOWNLOADS = 16;

/** Images that need more memory than this to decode and convert use the lane for large images. */
export const SMALL_IMAGE_BYTES = 120 * 2 ** 20;

/** Small images decoded concurrently. With a large one, they use three of libuv's four threads. */
export const SMALL_IMAGE_LANE = 2;

/** Large images decoded concurrently; one bounds their memory to that of one decoder. */
export const LARGE_IMAGE_LANE = 1;

/**
 * Memory for decoding and converting one image. Enough for 134-megapixel photos; limits
 * 16-bit images to about 75 megapixels, and very wide ones to fewer.
 */
export const MAX_IMAGE_BYTES = 512 * 2 ** 20;

/** Memory of libvips for an image of any size. */
export const BASE_IMAGE_BYTES = 24 * 2 ** 20;

/** Decoding is aborted after this time; the largest legitimate images take 1 to 2 s. */
export const DECODE_SECONDS = 20;

// -- Schemas for structured output

/** Values in a schema at all levels: most of the cost of compiling its grammar. */
export const MAX_SCHEMA_VALUES = 20_000;

/** Nesting levels of a schema; llguidance supports about 100. */
export const MAX_SCHEMA_DEPTH = 64;

/** Steps to prepare the schemas of a request: merging `allOf` and alternatives can multiply them. */
export const MAX_SCHEMA_STEPS = 40_000;

/** Values that are compared to see whether the alternatives of `oneOf` exclude each other: 15 ms. */
export const MAX_SCHEMA_COMPARISONS = 300_000;

/** Lengths and counts in a schema, such as `minItems`. Beyond them a bound cannot be enforced. */
export const MAX_SCHEMA_BOUND = 100_000;

/** A `pattern` in a schema; zod's longest, for dates, has about 400 characters. */
export const MAX_PATTERN_CHARACTERS = 5000;

/** Digits of `multipleOf` as an integer: the grammar has a state for each remainder. */
export const MAX_MULTIPLE = 10_000;

/** A grammar, regular expression or list of choices that an answer is held to. */
export const MAX_GRAMMAR_CHARACTERS = 50_000;

// -- Runtime

/** A line from one of our Python programs; the longest list of models is far shorter. */
export const MAX_LINE_CHARACTERS = 4_000_000;

// -- Response store

/** Memory for a stored value besides its text. */
export const BYTES_PER_STORED_VALUE = 64;
