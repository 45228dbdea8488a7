"""Scenarios with LangChain and LangGraph: a chain, an agent with a tool, retrieval, an error."""

import _setup as s

CONFIG = {
    "configurable": {"thread_id": "thread-1"},
    "metadata": {"session_id": s.SESSION, "user_id": s.USER, "plan": "free"},
    "tags": ["demo"],
}


def model(**options):
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model="gpt-4o-mini", temperature=0.2, max_retries=0, **options)


def chain():
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate

    prompt = ChatPromptTemplate.from_messages([("system", s.SYSTEM), ("human", "{question}")])
    (prompt | model(stream_usage=True) | StrOutputParser()).invoke({"question": "Say hello."}, config=CONFIG)


def agent():
    from langchain.agents import create_agent
    from langchain_core.tools import tool
    from langgraph.checkpoint.memory import InMemorySaver

    assistant = create_agent(
        model(), [tool(s.get_weather)], system_prompt=s.SYSTEM, checkpointer=InMemorySaver(), name="assistant"
    )
    assistant.invoke({"messages": [{"role": "user", "content": s.WEATHER}]}, config=CONFIG)


def retrieval():
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnablePassthrough
    from langchain_core.vectorstores import InMemoryVectorStore
    from langchain_openai import OpenAIEmbeddings

    embeddings = OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False)
    store = InMemoryVectorStore.from_texts(
        s.DOCUMENTS, embeddings, metadatas=[{"source": "refunds.md"}, {"source": "shipping.md"}]
    )
    prompt = ChatPromptTemplate.from_template("Answer from this: {context}\n\nQuestion: {question}")
    source = {"context": store.as_retriever(search_kwargs={"k": 1}), "question": RunnablePassthrough()}
    (source | prompt | model() | StrOutputParser()).invoke(s.REFUND, config=CONFIG)


def error():
    s.tolerant(lambda: model().invoke(s.RATE_LIMIT, config=CONFIG))


def all_of():
    chain()
    agent()
    retrieval()
    error()
