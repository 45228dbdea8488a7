"""Gemini and Vertex AI: generateContent, streamGenerateContent, embeddings."""

from . import answers


def ask(body, model):
    def texts(content):
        return "\n".join(part.get("text", "") for part in (content or {}).get("parts") or [])

    messages = []
    for content in body.get("contents") or []:
        is_tool = any("functionResponse" in part or "function_response" in part for part in content.get("parts") or [])
        role = "tool" if is_tool else {"model": "assistant"}.get(content.get("role"), "user")
        messages.append((role, texts(content)))
    tools = {}
    for group in body.get("tools") or []:
        for function in group.get("functionDeclarations") or group.get("function_declarations") or []:
            tools[function["name"]] = function.get("parameters") or function.get("parametersJsonSchema")
    system = texts(body.get("systemInstruction") or body.get("system_instruction"))
    return answers.Ask(model, system, messages, tools)


def usage(reply):
    used = reply.usage
    return {
        "promptTokenCount": used.input,
        "candidatesTokenCount": used.output - used.reasoning,
        "thoughtsTokenCount": used.reasoning,
        "cachedContentTokenCount": used.cached,
        "totalTokenCount": used.total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": used.input}],
    }


def frame(reply, parts, is_last=True):
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    head = {"modelVersion": reply.model, "responseId": f"fake{reply.number}"}
    if is_last:
        candidate["finishReason"] = "STOP"
        head["usageMetadata"] = usage(reply)
    return {"candidates": [candidate], **head}


def parts(reply):
    if reply.call:
        _, name, arguments = reply.call
        return [{"functionCall": {"name": name, "args": arguments}}]
    return [{"text": reply.text}]


def stream(reply):
    if reply.call:
        yield frame(reply, parts(reply))
        return
    pieces = reply.chunks()
    for index, piece in enumerate(pieces):
        yield frame(reply, [{"text": piece}], index == len(pieces) - 1)


def error(status, text):
    kind = "RESOURCE_EXHAUSTED" if status == 429 else "INVALID_ARGUMENT"
    return {"error": {"code": status, "message": text, "status": kind}}


def embeddings(body):
    asked = body.get("requests") or [body]
    texts = [part.get("text", "") for one in asked for part in one.get("content", {}).get("parts", [])]
    values = [{"values": answers.vector(text)} for text in texts]
    return {"embeddings": values} if "requests" in body else {"embedding": values[0]}
