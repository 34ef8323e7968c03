// The real client of OpenAI's API in Node against a server: `client.mjs MODULES URL TOKEN MODEL`. Says a line when it agrees.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const [modules, baseURL, apiKey, model] = process.argv.slice(2);
const { default: OpenAI } = await import(pathToFileURL(`${modules}/node_modules/openai/index.mjs`));
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const asked = { model, messages: [{ role: "user", content: "the" }], temperature: 0, max_tokens: 20 };

const whole = await client.chat.completions.create(asked);
let text = "";
for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
assert.equal(text, whole.choices[0].message.content);
await assert.rejects(client.chat.completions.create({ ...asked, model: "other" }), OpenAI.NotFoundError);
const { data } = await client.embeddings.create({ model, input: ["the", "ing"] });
assert.equal(data.length, 2);
assert.ok(Math.abs(data[0].embedding.reduce((sum, number) => sum + number * number, 0) - 1) < 1e-4);
const stream = await client.chat.completions.create({ ...asked, max_tokens: 200, stream: true });
for await (const _ of stream) break;
console.log("openai for Node agrees");
