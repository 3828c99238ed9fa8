// Vercel's `ai` with its OpenAI provider, chat form: `ai_openai.mjs URL` prints what it was answered.
import { createOpenAI } from '@ai-sdk/openai';
import { embed, generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const openai = createOpenAI({ baseURL: `${process.argv[2]}/openai/v1`, apiKey: 'any' });
const model = openai.chat('gemini-2.5-flash');

const answer = await generateText({ model, prompt: 'one two three' });
let streamed = '';
for await (const piece of streamText({ model, prompt: 'four five six' }).textStream) {
  streamed += piece;
}
const { object } = await generateObject({
  model,
  schema: z.object({ name: z.string(), big: z.boolean() }),
  prompt: 'x',
});
const weather = tool({
  description: 'The weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async () => 20,
});
const { toolCalls } = await generateText({
  model,
  prompt: 'x',
  tools: { weather },
  toolChoice: 'required',
  stopWhen: stepCountIs(1),
});
const { embedding } = await embed({ model: openai.textEmbeddingModel('gemini-embedding-001'), value: 'x' });
console.log(JSON.stringify({
  text: answer.text,
  finish: answer.finishReason,
  tokens: [answer.usage.inputTokens, answer.usage.outputTokens],
  streamed,
  object,
  calls: toolCalls.map(({ toolName, input }) => [toolName, Object.keys(input)]),
  dimensions: embedding.length,
}));
