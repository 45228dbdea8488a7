"""Scenarios with LlamaIndex: a query over documents, an agent with a tool, an error."""

import asyncio

import _setup as s


def model():
    from llama_index.llms.openai import OpenAI

    return OpenAI(model="gpt-4o-mini", temperature=0.2, max_retries=0, api_base=f"{s.MODELS}/v1")


def query():
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.embeddings.openai import OpenAIEmbedding

    documents = [Document(text=text, metadata={"source": f"{i}.md"}) for i, text in enumerate(s.DOCUMENTS)]
    embeddings = OpenAIEmbedding(model="text-embedding-3-small", api_base=f"{s.MODELS}/v1")
    index = VectorStoreIndex.from_documents(documents, embed_model=embeddings)
    return index.as_query_engine(llm=model(), similarity_top_k=1).query(s.REFUND)


def agent():
    from llama_index.core.agent.workflow import FunctionAgent

    assistant = FunctionAgent(tools=[s.get_weather], llm=model(), system_prompt=s.SYSTEM, streaming=False)

    async def ask():
        return await assistant.run(s.WEATHER)

    return asyncio.run(ask())


def error():
    s.tolerant(lambda: model().complete(s.RATE_LIMIT))
