import com.fasterxml.jackson.databind.ObjectMapper;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.errors.BadRequestException;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionContentPart;
import com.openai.models.chat.completions.ChatCompletionContentPartImage;
import com.openai.models.chat.completions.ChatCompletionContentPartText;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionFunctionTool;
import com.openai.models.chat.completions.ChatCompletionTool;
import com.openai.models.chat.completions.ChatCompletionToolChoiceOption;
import com.openai.models.responses.EasyInputMessage;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseInputContent;
import com.openai.models.responses.ResponseInputImage;
import com.openai.models.responses.ResponseInputItem;
import com.openai.models.responses.ResponseInputText;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Asks a server through openai-java, and prints the answers as JSON: `java Ask.java BASE_URL DATA_URL`. */
class Ask {
    static final String QUESTION = "What is in this image?";

    public static void main(String[] args) throws Exception {
        OpenAIClient client = OpenAIOkHttpClient.builder()
                .baseUrl(args[0]).apiKey("not needed").maxRetries(0).build();
        ChatCompletionCreateParams params = question(args[1]);
        Map<String, Object> answers = new LinkedHashMap<>();
        answers.put("whole", textOf(client.chat().completions().create(params)));

        ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
        try (var stream = client.chat().completions().createStreaming(params)) {
            stream.stream().forEach(accumulator::accumulate);
        }
        answers.put("streamed", textOf(accumulator.chatCompletion()));
        answers.put("responses", respond(client, args[1]));
        answers.put("calls", call(client, params));

        try {
            client.chat().completions().create(params.toBuilder().temperature(3.0).build());
        } catch (BadRequestException error) {
            answers.put("status", error.statusCode());
            answers.put("type", error.type().orElse(null));
            answers.put("param", error.param().orElse(null));
            answers.put("message", error.getMessage());
        }
        System.out.println(new ObjectMapper().writeValueAsString(answers));
        client.close();
    }

    static ChatCompletionCreateParams question(String image) {
        var url = ChatCompletionContentPartImage.ImageUrl.builder().url(image).build();
        return ChatCompletionCreateParams.builder()
                .model("demo")
                .maxTokens(60)
                .addUserMessageOfArrayOfContentParts(List.of(
                        ChatCompletionContentPart.ofText(
                                ChatCompletionContentPartText.builder().text(QUESTION).build()),
                        ChatCompletionContentPart.ofImageUrl(
                                ChatCompletionContentPartImage.builder().imageUrl(url).build())))
                .build();
    }

    static String textOf(ChatCompletion completion) {
        return completion.choices().get(0).message().content().orElse("");
    }

    static String respond(OpenAIClient client, String image) {
        List<ResponseInputContent> content = List.of(
                ResponseInputContent.ofInputText(ResponseInputText.builder().text(QUESTION).build()),
                ResponseInputContent.ofInputImage(ResponseInputImage.builder()
                        .imageUrl(image).detail(ResponseInputImage.Detail.AUTO).build()));
        EasyInputMessage message = EasyInputMessage.builder()
                .role(EasyInputMessage.Role.USER)
                .contentOfResponseInputMessageContentList(content).build();
        ResponseCreateParams params = ResponseCreateParams.builder()
                .model("demo")
                .inputOfResponse(List.of(ResponseInputItem.ofEasyInputMessage(message))).build();
        return client.responses().create(params).output().stream()
                .flatMap(item -> item.message().stream())
                .flatMap(item -> item.content().stream())
                .flatMap(part -> part.outputText().stream())
                .map(part -> part.text())
                .collect(Collectors.joining());
    }

    /** The arguments of a call that the request forces. */
    static Object call(OpenAIClient client, ChatCompletionCreateParams params) throws Exception {
        FunctionDefinition paint = FunctionDefinition.builder()
                .name("paint")
                .parameters(FunctionParameters.builder()
                        .putAdditionalProperty("type", JsonValue.from("object"))
                        .putAdditionalProperty("properties", JsonValue.from(
                                Map.of("color", Map.of("enum", List.of("green")))))
                        .putAdditionalProperty("required", JsonValue.from(List.of("color")))
                        .build())
                .build();
        ChatCompletionCreateParams forced = params.toBuilder()
                .tools(List.of(ChatCompletionTool.ofFunction(
                        ChatCompletionFunctionTool.builder().function(paint).build())))
                .toolChoice(ChatCompletionToolChoiceOption.Auto.REQUIRED)
                .build();
        String arguments = client.chat().completions().create(forced)
                .choices().get(0).message().toolCalls().orElseThrow().get(0)
                .asFunction().function().arguments();
        return new ObjectMapper().readValue(arguments, Map.class);
    }
}
