// Vercel's `ai` with its Google provider: `ai_google.mjs URL` prints what it was answered as JSON.
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { embed, generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const google = createGoogleGenerativeAI({ baseURL: `${process.argv[2]}/v1beta`, apiKey: 'any' });
const model = google('gemini-2.5-flash');

const answer = await generateText({ model, prompt: 'one two three', temperature: 0 });
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
const { embedding } = await embed({ model: google.textEmbeddingModel('gemini-embedding-001'), value: 'x' });
console.log(JSON.stringify({
  text: answer.text,
  finish: answer.finishReason,
  tokens: [answer.usage.inputTokens, answer.usage.outputTokens],
  streamed,
  object,
  calls: toolCalls.map(({ toolName, input }) => [toolName, Object.keys(input)]),
  dimensions: embedding.length,
}));
