"""Scenarios with Haystack: a pipeline that retrieves, an agent with a tool."""

import _setup as s


def retrieval():
    from haystack import Document, Pipeline
    from haystack.components.builders import ChatPromptBuilder
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
    from haystack.dataclasses import ChatMessage
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    store = InMemoryDocumentStore()
    store.write_documents([Document(content=text, meta={"source": f"{i}.md"}) for i, text in enumerate(s.DOCUMENTS)])
    template = "Answer from this: {% for d in documents %}{{ d.content }}{% endfor %}\nQuestion: {{ question }}"
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=1))
    pipeline.add_component(
        "prompt", ChatPromptBuilder([ChatMessage.from_user(template)], required_variables=["question", "documents"])
    )
    pipeline.add_component("llm", OpenAIChatGenerator(model="gpt-4o-mini"))
    pipeline.connect("retriever.documents", "prompt.documents")
    pipeline.connect("prompt.prompt", "llm.messages")
    pipeline.run({"retriever": {"query": s.REFUND}, "prompt": {"question": s.REFUND}})


def agent():
    from haystack.components.agents import Agent
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage
    from haystack.tools import create_tool_from_function

    tool = create_tool_from_function(s.get_weather)
    assistant = Agent(chat_generator=OpenAIChatGenerator(model="gpt-4o-mini"), tools=[tool], system_prompt=s.SYSTEM)
    assistant.run(messages=[ChatMessage.from_user(s.WEATHER)])
