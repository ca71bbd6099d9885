"""Words that patterns of orders to a machine are made of, in English."""

from __future__ import annotations

import re

__all__ = ["BEFORE", "DROP", "GAP", "HUSHED", "MODEL", "OPEN", "ORDERS", "SAY", "one"]


def one(pattern: str) -> re.Pattern[str]:
    """A pattern for text in lower case: half the time of one that ignores case."""
    return re.compile(pattern)


GAP = r"(?:\W+\w+){0,%d}?\W+"  # some words between
OPEN = (
    r"(?:^|[.!?:;>\]\n*#\"“-]\s*|\b(?:please|kindly|now|then|and|just|so|you(?: must|"
    r" should| will| shall| can|"
    r" may| have to| need to| are to)?|also|immediately|important|stop|attention|assistant|"
    r"ai|llm|chatbot|"
    r"gpt),?\s+)"
)
BEFORE = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|former|before|original|initial|"
    r"so far|until now|"
    r"up to now|thus far)"
)
ORDERS = (
    r"(?:instruction|prompt|direction|directive|guideline|guidance|command|order|rule|"
    r"constraint|restriction|"
    r"programming|training|conversation|message|context|polic(?:y|ie)|task|request|input)s?"
)
DROP = (
    r"(?:ignore|disregard|forget|override|overrule|overwrite|bypass|discard|dismiss|"
    r"abandon|drop|cancel|void|"
    r"neglect|revoke|erase|unlearn|disobey|set aside|put aside|lay aside|throw (?:out|away)|"
    r"pay no (?:attention|heed) to|(?:do not|don'?t|stop|no longer|never|"
    r"cease to)(?: have to| need to|"
    r" bother to)? (?:follow(?:ing)?|obey(?:ing)?|heed(?:ing)?|adher(?:e|ing) to|"
    r"listen(?:ing)? to))"
)
MODEL = (
    r"(?:ai|a\.i\.|llms?|(?:large )?language models?|chat ?bots?|chat ?gpt|gpt(?:-?\d\w*)?|"
    r"claude|gemini|"
    r"copilot|llama|assistants?|(?:ai|virtual|digital|intelligent|"
    r"automated)[ -](?:assistant|agent|model|"
    r"system|reader|tool)s?|(?:summari[sz]er|summari[sz]ing system|answering system|"
    r"retrieval system|"
    r"search assistant)s?|bots?)"
)
SAY = (
    r"(?:respond|reply|answer|say|output|print|write|state|return|repeat|conclude|"
    r"recommend|tell|claim|"
    r"respond back|begin|start|end|confirm)"
)
HUSHED = (
    r"(?:(?:system|hidden|secret|initial|original|first|internal|confidential|developer|"
    r"full|entire|exact|"
    r"pre-?)[ -]?)"
)
