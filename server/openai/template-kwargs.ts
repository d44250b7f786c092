/**
 * Names of `chat_template_kwargs` that the template does not read as options. They would replace the
 * conversation, the template, a function that templates call, or options of mlx_vlm and transformers.
 * Letting clients set those was a vulnerability in vLLM (vllm#25794).
 */
const BLOCKED: ReadonlySet<string> = new Set([
  'add_generation_prompt',
  'audio',
  'chat_template',
  'config',
  'continue_final_message',
  'conversation',
  'cycler',
  'dict',
  'documents',
  'images',
  'joiner',
  'lipsum',
  'max_length',
  'messages',
  'model_name',
  'model_type',
  'namespace',
  'num_audios',
  'num_images',
  'padding',
  'processor',
  'prompt',
  'raise_exception',
  'range',
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
