// Sends requests through openai-go and prints the results as JSON. Run by openai-go.client.ts.
//
//	go run . BASE_URL DATA_URL
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

const question = "What is in this image?"

func main() {
	ctx, image := context.Background(), os.Args[2]
	client := openai.NewClient(
		option.WithBaseURL(os.Args[1]), option.WithAPIKey("not needed"), option.WithMaxRetries(0),
	)
	params := openai.ChatCompletionNewParams{
		Model:     "demo",
		MaxTokens: openai.Int(60),
		Messages: []openai.ChatCompletionMessageParamUnion{
			openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
				openai.TextContentPart(question),
				openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: image}),
			}),
		},
	}
	ask := func(params openai.ChatCompletionNewParams) openai.ChatCompletionMessage {
		completion, err := client.Chat.Completions.New(ctx, params)
		check(err)
		return completion.Choices[0].Message
	}

	stream := client.Chat.Completions.NewStreaming(ctx, params)
	streamed := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		streamed.AddChunk(stream.Current())
	}
	check(stream.Err())

	// Like most schemas, this one does not mention additional properties.
	color := map[string]any{
		"type":       "object",
		"properties": map[string]any{"color": map[string]any{"enum": []string{"red", "green"}}},
		"required":   []string{"color"},
	}
	fitting := params
	fitting.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{
		OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "picture", Schema: color},
		},
	}
	calling := params
	calling.Tools = []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "paint", Parameters: color}),
	}
	calling.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("required")}
	refused := params
	refused.Temperature = openai.Float(3)
	_, err := client.Chat.Completions.New(ctx, refused)
	var refusal *openai.Error
	if !errors.As(err, &refusal) {
		log.Fatal("expected an error response: ", err)
	}

	response, err := client.Responses.New(ctx, responses.ResponseNewParams{
		Model: "demo",
		Input: responses.ResponseNewParamsInputUnion{
			OfInputItemList: responses.ResponseInputParam{
				responses.ResponseInputItemParamOfMessage(
					responses.ResponseInputMessageContentListParam{
						{OfInputText: &responses.ResponseInputTextParam{Text: question}},
						{OfInputImage: &responses.ResponseInputImageParam{
							ImageURL: openai.String(image), Detail: responses.ResponseInputImageDetailAuto,
						}},
					},
					responses.EasyInputMessageRoleUser,
				),
			},
		},
	})
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"complete":  ask(params).Content,
		"streamed":  streamed.Choices[0].Message.Content,
		"responses": response.OutputText(),
		"fits":      hasColor(ask(fitting).Content),
		"calls":     hasColor(ask(calling).ToolCalls[0].Function.Arguments),
		"error":     refusal.Message,
		"param":     refusal.Param,
	}))
}

func hasColor(text string) bool {
	var picture map[string]string
	return json.Unmarshal([]byte(text), &picture) == nil && len(picture) == 1 &&
		strings.Contains("red green", picture["color"])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
