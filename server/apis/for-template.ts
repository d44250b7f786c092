import type { GenerationRequest, ThinkingFields } from '../generation/request.ts';
import type { ReadyLine, TemplateFacts } from '../runtime/protocol.ts';
import type { IgnoredFields } from './parse-body.ts';

/**
 * The request without what the loaded model's chat template cannot show, which is reported as ignored:
 * names of `chat_template_kwargs` that it does not use, and thinking that cannot be turned on or off.
 * Tools are reported only if the template shows no text that could describe them.
 */
export function forTemplate(
  request: GenerationRequest,
  { template_names: names, template }: Pick<ReadyLine, 'template_names' | 'template'>,
  ignored: IgnoredFields,
): GenerationRequest {
  const used = Object.entries(request.templateKwargs).filter(([name]) => {
    if (names.includes(name)) return true;
    ignored.add('chat_template_kwargs', name);
    return false;
  });
  const parameters = { ...request.parameters };
  const reported: string[] = [];
  for (const name of unusedThinking(request, template)) {
    delete parameters[name];
    const path = request.thinkingFields[name] ?? [name];
    // `thinking` stands for all that is in it.
    if (reported.some((other) => path[0] === other)) continue;
    if (path.length === 1) reported.push(...path);
    ignored.add(...path);
  }
  if (template.tools === 'none' && request.tools?.choice === 'auto') ignored.add('tools');
  return { ...request, parameters, templateKwargs: Object.fromEntries(used) };
}

/** What asks for thinking where there is none, for none where there always is, or in vain for more. */
function unusedThinking(
  { parameters, continuationParam }: GenerationRequest,
  { thinking, reasoning_effort: knowsEffort }: TemplateFacts,
): (keyof ThinkingFields)[] {
  const { enable_thinking: enabled, reasoning_effort: effort, thinking_budget } = parameters;
  const asks = {
    enable_thinking: enabled as boolean | undefined,
    reasoning_effort: effort === undefined ? undefined : effort !== 'none',
    thinking_budget: thinking_budget === undefined ? undefined : true,
  };
  const isUnused = (name: keyof ThinkingFields): boolean => {
    const asked = asks[name];
    if (asked === undefined) return false;
    // An answer that goes on in the middle does not begin with a thought.
    if (thinking === 'none' || continuationParam !== undefined) return asked;
    if (thinking === 'optional') return false;
    return !asked || (name === 'reasoning_effort' && !knowsEffort);
  };
  return (['enable_thinking', 'reasoning_effort', 'thinking_budget'] as const).filter(isUnused);
}
