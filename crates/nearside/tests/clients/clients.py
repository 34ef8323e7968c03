"""Real clients of OpenAI's API in Python against a server: `clients.py URL TOKEN MODEL`. Says one line for each that agrees."""

import asyncio
import json
import os
import sys

# It asks the internet for prices otherwise.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

url, token, model = sys.argv[1:4]
QUESTION = [{"role": "user", "content": "the"}]
SCHEMA = {
    "type": "object",
    "properties": {"zeal": {"enum": ["high", "low"]}},
    "required": ["zeal"],
    "additionalProperties": False,
}


def official():
    client = openai.OpenAI(base_url=url, api_key=token, max_retries=0)
    assert [found.id for found in client.models.list()] == [model]
    assert client.models.retrieve(model).id == model
    asked = {"model": model, "messages": QUESTION, "temperature": 0, "max_tokens": 20}
    whole = client.chat.completions.create(**asked, logprobs=True, top_logprobs=3)
    choice = whole.choices[0]
    assert choice.message.role == "assistant" and choice.finish_reason in ("stop", "length")
    assert len(choice.logprobs.content) == whole.usage.completion_tokens
    assert all(len(token.top_logprobs) == 3 for token in choice.logprobs.content)
    sent = client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    pieces, usage = [], None
    for chunk in sent:
        pieces += [choice.delta.content or "" for choice in chunk.choices]
        usage = chunk.usage or usage
    assert "".join(pieces) == choice.message.content, (pieces, choice.message.content)
    assert usage.completion_tokens == whole.usage.completion_tokens
    format = {"type": "json_schema", "json_schema": {"name": "zeal", "schema": SCHEMA, "strict": True}}
    told = client.chat.completions.create(**{**asked, "max_tokens": 100}, response_format=format)
    assert json.loads(told.choices[0].message.content)["zeal"] in ("high", "low")
    text = client.completions.create(model=model, prompt=["the", "ing"], max_tokens=4, echo=True, logprobs=1)
    assert len(text.choices) == 2 and text.choices[0].text.startswith("the")
    assert text.choices[0].logprobs.token_logprobs[0] is None
    tokens = client.completions.create(model=model, prompt=[[20, 21]], max_tokens=0, echo=True, logprobs=1)
    assert len(tokens.choices[0].logprobs.tokens) == 2
    vector = client.embeddings.create(model=model, input="the").data[0].embedding
    assert abs(sum(number * number for number in vector) - 1) < 1e-4
    for wrong, expected in [
        ({"model": "other"}, openai.NotFoundError),
        ({"temperature": 9}, openai.BadRequestError),
        ({"messages": [{"role": "user", "content": "the " * 5000}]}, openai.BadRequestError),
    ]:
        try:
            client.chat.completions.create(**{**asked, **wrong})
        except expected as error:
            assert error.body["message"], error
        else:
            raise AssertionError(wrong)
    try:
        openai.OpenAI(base_url=url, api_key="wrong", max_retries=0).models.list()
    except openai.AuthenticationError as error:
        assert error.code == "invalid_api_key"
    else:
        raise AssertionError("a wrong token was let in")
    # A tool that has to be called, whatever the model thinks of it.
    tool = {"type": "function", "function": {"name": "zeal", "description": "Tells it.", "parameters": SCHEMA}}
    told = client.chat.completions.create(
        **{**asked, "max_tokens": 200}, tools=[tool], tool_choice="required", parallel_tool_calls=False
    )
    call = told.choices[0].message.tool_calls[0]
    assert told.choices[0].finish_reason == "tool_calls" and call.function.name == "zeal"
    assert json.loads(call.function.arguments)["zeal"] in ("high", "low")


async def several():
    client = openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=0)
    asked = {"model": model, "messages": QUESTION, "temperature": 0, "max_tokens": 20}
    answers = await asyncio.gather(*(client.chat.completions.create(**asked) for _ in range(16)))
    assert len({answer.choices[0].message.content for answer in answers}) == 1
    sent = await client.chat.completions.create(**{**asked, "max_tokens": 200}, stream=True)
    async for _ in sent:
        break
    await sent.close()


def through_litellm():
    asked = {"model": f"openai/{model}", "api_base": url, "api_key": token, "messages": QUESTION}
    whole = litellm.completion(**asked, temperature=0, max_tokens=10)
    pieces = litellm.completion(**asked, temperature=0, max_tokens=10, stream=True)
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert text == (whole.choices[0].message.content or "")


def through_langchain():
    chat = ChatOpenAI(model=model, base_url=url, api_key=token, temperature=0, max_tokens=100)
    whole = chat.invoke("the")
    assert "".join(piece.content for piece in chat.stream("the")) == whole.content
    structured = chat.with_structured_output({"title": "zeal", **SCHEMA}, method="json_schema")
    assert structured.invoke("the")["zeal"] in ("high", "low")
    embeddings = OpenAIEmbeddings(model=model, base_url=url, api_key=token, check_embedding_ctx_length=False)
    assert len(embeddings.embed_documents(["the", "ing"])) == 2


for name, check in [
    ("openai", official),
    ("openai, sixteen at once", lambda: asyncio.run(several())),
    ("litellm", through_litellm),
    ("langchain", through_langchain),
]:
    check()
    print(f"{name} agrees", flush=True)
