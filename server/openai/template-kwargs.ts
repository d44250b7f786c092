/**
 * Names of `chat_template_kwargs` that would replace the conversation, the template or how mlx_vlm
 * and transformers render it, instead of being read by the template: in vLLM, letting clients set
 * them was a vulnerability (vllm#25794).
 */
const BLOCKED: ReadonlySet<string> = new Set([
  'add_generation_prompt',
  'audio',
  'chat_template',
  'config',
  'continue_final_message',
  'conversation',
  'documents',
  'images',
  'max_length',
  'messages',
  'model_type',
  'namespace',
  'num_audios',
  'num_images',
  'padding',
  'processor',
  'prompt',
  'raise_exception',
  'role',
  'self',
  'strftime_now',
  'tokenize',
  'tool_choice',
  'tools',
  'truncation',
  'video',
  'videos',
]);

/** Whether a client may set this name for the model's template. */
export function isTemplateName(name: string): boolean {
  return (
    /^[a-z][a-z0-9_]{0,99}$/i.test(name) &&
    !BLOCKED.has(name) &&
    !/^return_|_kwargs$|_token$/.test(name)
  );
}
