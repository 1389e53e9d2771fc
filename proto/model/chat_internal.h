/* chat_internal.h - constants that recognising and rendering share. */
#ifndef PROTO_MODEL_CHAT_INTERNAL_H
#define PROTO_MODEL_CHAT_INTERNAL_H

#define CHAT_NAMES "chatml, chatml-system, qwen2, qwen3, llama3, gemma2, phi3"
#define QWEN_SYSTEM "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
#define HELPFUL_SYSTEM "You are a helpful assistant."

#endif
