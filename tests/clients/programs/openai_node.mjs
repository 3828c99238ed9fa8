// OpenAI's SDK for JavaScript: `openai_node.mjs URL` leads calls and a batch, and prints what it saw.
import OpenAI, { toFile } from 'openai';

const client = new OpenAI({ baseURL: `${process.argv[2]}/openai/v1`, apiKey: 'any', maxRetries: 0 });
const model = 'gemini-2.5-flash';
const messages = [{ role: 'user', content: 'one two three' }];

const answer = await client.chat.completions.create({ model, messages });
let streamed = '';
for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
  streamed += chunk.choices[0]?.delta.content ?? '';
}
const vectors = await client.embeddings.create({ model: 'gemini-embedding-001', input: ['a', 'b'] });
let refused;
try {
  await client.chat.completions.create({ model, messages, temperature: 9 });
} catch (error) {
  refused = [error.constructor.name, error.status, error.param];
}

const lines = ['one', 'please fail'].map((content, index) => JSON.stringify({
  custom_id: `c${index}`,
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model, messages: [{ role: 'user', content }] },
}));
const file = await client.files.create({
  file: await toFile(Buffer.from(lines.join('\n')), 'input.jsonl'),
  purpose: 'batch',
});
let batch = await client.batches.create({
  input_file_id: file.id,
  endpoint: '/v1/chat/completions',
  completion_window: '24h',
});
for (let tries = 0; batch.status !== 'completed' && tries < 1000; tries += 1) {
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  batch = await client.batches.retrieve(batch.id);
}
const read = async (id) => (await (await client.files.content(id)).text()).trim().split('\n').map(JSON.parse);
const [good] = await read(batch.output_file_id);
const [bad] = await read(batch.error_file_id);
const listed = [];
for await (const each of client.batches.list()) listed.push(each.id === batch.id);
console.log(JSON.stringify({
  text: answer.choices[0].message.content,
  tokens: answer.usage.total_tokens,
  streamed,
  dimensions: vectors.data.map(({ embedding }) => embedding.length),
  refused,
  file: [file.filename, file.purpose],
  counts: batch.request_counts,
  good: [good.custom_id, good.response.body.choices[0].message.content],
  bad: [bad.custom_id, bad.response.status_code],
  listed,
}));
