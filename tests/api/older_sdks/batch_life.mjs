// The life of batches as a program of some version of Google's SDK for JavaScript leads it.
//
//     batch_life.mjs URL VERSION   prints what it saw as one JSON object
//
// It does what batch_life.py does, in the same order.
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const [url, version] = process.argv.slice(2);
const installed = {'1.16.0': 'genai-1-16', '1.40.0': 'genai-1-40'}[version];
const {GoogleGenAI} = await import(installed);
// What a version cannot do yet, though a user could ask it to.
const can = {metadata: version !== '1.16.0', embeddings: version !== '1.16.0'};
const FINAL = [
    'JOB_STATE_SUCCEEDED', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED', 'JOB_STATE_EXPIRED',
];
const SAFETY = [{category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE'}];
const MODEL = 'gemini-2.5-flash';
const POLL_MILLISECONDS = 50;
const TRIES_MAX = 400;

const ai = new GoogleGenAI({apiKey: 'any', httpOptions: {baseUrl: url}});

async function waitFor(name) {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
        const job = await ai.batches.get({name});
        if (FINAL.includes(job.state)) return job;
        await new Promise(resolve => setTimeout(resolve, POLL_MILLISECONDS));
    }
    throw new Error(`${name} does not end`);
}

function seen(response) {
    const [candidate] = response.candidates;
    return {
        text: candidate.content.parts.map(part => part.text).join(''),
        finish: candidate.finishReason,
        prompt_tokens: response.usageMetadata.promptTokenCount,
        queries: candidate.groundingMetadata?.webSearchQueries ?? null,
    };
}

function requests() {
    const config = {
        systemInstruction: 'be nice',
        safetySettings: SAFETY,
        temperature: 0.5,
        maxOutputTokens: 3,
        thinkingConfig: {thinkingBudget: 0},
    };
    const searching = {tools: [{googleSearch: {}}], systemInstruction: 'be nice'};
    const first = {contents: [{parts: [{text: 'one two three four'}], role: 'user'}], config};
    if (can.metadata) first.metadata = {key: 'first'};
    return [
        first,
        {contents: 'who won the euro?', config: searching},
        {contents: 'please fail'},
    ];
}

async function liveInline() {
    const created = await ai.batches.create({
        model: MODEL, src: requests(), config: {displayName: 'inline'},
    });
    const job = await waitFor(created.name);
    const results = job.dest.inlinedResponses;
    return {
        created: created.state,
        state: job.state,
        display_name: job.displayName,
        results: results.map(each => each.response ? seen(each.response) : null),
        errors: results.map(each => each.error?.message ?? null),
        metadata: can.metadata ? results.map(each => each.metadata ?? null) : null,
    };
}

async function fileNames() {
    const names = [];
    for await (const file of await ai.files.list()) names.push(file.name);
    return names;
}

async function liveFromAFile() {
    const request = {
        contents: [{parts: [{text: 'one two'}], role: 'user'}],
        system_instruction: {parts: [{text: 'be nice'}]},
        tools: [{google_search: {}}],
        safety_settings: SAFETY,
    };
    const folder = mkdtempSync(join(tmpdir(), 'older-sdks-'));
    try {
        const path = join(folder, 'requests.jsonl');
        writeFileSync(path, JSON.stringify({key: 'a', request}) + '\n');
        const file = await ai.files.upload({
            file: path, config: {displayName: 'lines', mimeType: 'jsonl'},
        });
        const job = await waitFor((await ai.batches.create({model: MODEL, src: file.name})).name);
        const downloadPath = join(folder, 'results.jsonl');
        await ai.files.download({file: job.dest.fileName, downloadPath});
        // 1.16 does not wait for the end of its own download.
        let content = '';
        for (let tries = 0; !content.endsWith('\n') && tries < TRIES_MAX; tries++) {
            await new Promise(resolve => setTimeout(resolve, POLL_MILLISECONDS));
            content = readFileSync(downloadPath, 'utf8');
        }
        const listed = await fileNames();
        await ai.files.delete({name: file.name});
        return {
            state: job.state,
            line: JSON.parse(content),
            was_listed: listed.includes(file.name),
            is_listed: (await fileNames()).includes(file.name),
        };
    } finally {
        rmSync(folder, {recursive: true});
    }
}

async function liveEmbedding() {
    if (!can.embeddings) return null;
    const job = await ai.batches.createEmbeddings({
        model: 'gemini-embedding-001',
        src: {inlinedRequests: {contents: ['one', 'two'], config: {outputDimensionality: 5}}},
    });
    const results = (await waitFor(job.name)).dest.inlinedEmbedContentResponses;
    return results.map(each => each.response.embedding.values.length);
}

async function isListed(name) {
    for await (const job of await ai.batches.list({config: {pageSize: 2}})) {
        if (job.name === name) return true;
    }
    return false;
}

async function liveACancelledOne() {
    const job = await ai.batches.create({
        model: 'gemini-slow', src: [{contents: 'never answered'}],
    });
    await ai.batches.cancel({name: job.name});
    const {state} = await ai.batches.get({name: job.name});
    const before = await isListed(job.name);
    await ai.batches.delete({name: job.name});
    return {state, listed: [before, await isListed(job.name)]};
}

const answer = await ai.models.generateContent({model: MODEL, contents: 'one two'});
console.log(JSON.stringify({
    version: JSON.parse(readFileSync(`node_modules/${installed}/package.json`)).version,
    answer: answer.text,
    inline: await liveInline(),
    file: await liveFromAFile(),
    embeddings: await liveEmbedding(),
    cancelled: await liveACancelledOne(),
}));
