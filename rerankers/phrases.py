"""The signs of orders to a machine, as patterns by kind, for English in lower case; `abroad.py` has other languages."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rerankers.cancels import CANCELS
from rerankers.wording import HUSHED, OPEN, SAY, one

__all__ = ["SIGNS"]

SIGNS: Mapping[str, tuple[float, re.Pattern[str]]] = {
    **CANCELS,
    "changes the part": (
        0.5,
        one(
            r"\byou(?:'re| are) (?:now|no longer|henceforth|dan|free (?:of|from)|"
            r"un(?:restricted|filtered|"
            r"censored))\b"
            r"|\bfrom (?:now|this (?:moment|point|time)|here)(?: on(?:wards?)?)?,? (?:you|"
            r"your|respond|answer|"
            r"speak|act|reply|only|always)\b"
            r"|\b(?:act|behave|respond|operate|speak) (?:as|like) (?:if you|"
            r"an? (?:unrestricted|unfiltered|"
            r"evil|different|new)|dan|an?\b)"
            r"|\bpretend (?:to be|you|that|the|not)\b|\b(?:developer|god|debug|admin|dan|"
            r"maintenance|"
            r"jailbreak) mode\b"
            r"|\b(?:filters?|safety|restrictions?|limits|safeguards?)(?: \w+)? (?:are |"
            r"is )?(?:now )?(?:off|"
            r"disabled|lifted|removed)\b|\bfree of (?:all|any) (?:limits|rules|restrictions)"
            r"|\byour (?:only |sole |new |real |true |main )+(?:job|task|purpose|goal|role|"
            r"objective|mission|"
            r"instruction|persona|name)\b"
            r"|\binstead of (?:answering|summari[sz]ing|the (?:answer|summary))|"
            r"\bthe owner of this \w+ authori[sz]es you|\bstay in character"
        ),
    ),
    "dictates the answer": (
        0.5,
        one(
            rf"(?:{OPEN}|,\s*)(?:only |always |simply |just |"
            rf"instead )?{SAY}(?: \w+){{0,3}}? (?:only|solely|"
            rf"exactly|with|by|in the style|that|the (?:word|phrase|following|text|"
            rf"sentence)|nothing but|'|\"|"
            rf"“|‘|yes\b|no\b|ok\b)"
            r"|\bthe (?:right|correct|only|true|final) (?:answer|response|reply) (?:to|is|"
            r"should|must|for)\b"
            r"|\b(?:whatever|regardless of what|no matter what|"
            r"irrespective of what) (?:the |you |is |your |"
            r"anyone )?(?:question|asked|user|query|else|rest|ask|says?)"
            r"|\b(?:start|begin|end|finish|prefix|append) (?:your|each|every|the) (?:reply|"
            r"answer|response|"
            r"summary|output|message)"
            r"|\bpraise\b|\brate (?:this|it)\b|\b(?:recommend|choose|prefer|rank|"
            r"promote)(?: \w+){0,3} (?:above|over|ahead of|first|before) (?:all|any|every|the)\b|"
            r"\btreat the (?:\w+ )?\w+ (?:below|above|here|following)|\bit is (?:crucial|"
            r"essential|imperative|"
            r"vital) that you\b"
            r"|\byou (?:must|will|shall|have to|should)(?: now| always| only)? (?:say|"
            r"answer|respond|reply|"
            r"comply|obey|tell|state|output|recommend|write|claim|print)\b"
        ),
    ),
    "waits for a question": (
        0.5,
        one(
            r"\b(?:when|if|whenever|once) (?:a |the |any |some |your )?(?:users?|reader|"
            r"customer|person|"
            r"someone|anyone|people|you(?:'re| are)) (?:asks?|is asked|asked|wants?|"
            r"inquires?|requests?|"
            r"mentions?)\b"
        ),
    ),
    "hides from the reader": (
        0.7,
        one(
            r"\b(?:do not|don'?t|never|must not|should not|mustn'?t|without|avoid|"
            r"and not)\s+(?:reveal|mention|"
            r"tell|telling|disclos\w+|inform\w*|let|say|cite|citing|mentioning|revealing|"
            r"show|report|"
            r"acknowledge|notify\w*|alert\w*)\b(?= (?:\w+ ){0,4}(?:user|reader|human|anyone|"
            r"this (?:instruction|message|note|text|paragraph|prompt|passage|page|comment)|"
            r"these instructions|"
            r"that you|competitor|instruction|source|operator|them|it to))"
            r"|\bsay nothing (?:of|about)\b|\bkeep (?:this|it) (?:a )?(?:secret|hidden|"
            r"to yourself)|"
            r"\bomit (?:any|all|every|the) (?:citation|source|reference|warning|mention)s?"
            r"|\btell the (?:user|reader|human|customer|person)s? (?:that|to)\b"
        ),
    ),
    "asks for secrets": (
        1.0,
        one(
            rf"\b(?:print|repeat|reveal|show|output|display|leak|dump|share|recite|"
            rf"disclose|expose|copy|paste|"
            rf"give|tell|write|return|quote|list|state)\b(?: out| me| us| back| to me| the user|"
            rf" verbatim)*(?: all| the| the text of|"
            rf" every\w*(?: in)?)* (?:of )?(?:your {HUSHED}+|"
            rf"the (?:hidden|secret|internal|confidential|system|"
            rf"developer)[ -]?(?:{HUSHED})*)(?:prompt|"
            rf"instructions?|configuration|messages?|rules|guidelines|settings|directives?|"
            rf"context)\b"
            rf"|\b(?:print|repeat|reveal|output|display|leak|dump|recite|disclose|share|"
            rf"tell me)\b(?: out| me|"
            rf" back| the text of| verbatim| all| of)* your (?:{HUSHED}*)(?:prompt|"
            rf"instructions?|configuration|"
            rf"first message|rules|guidelines|directives)\b"
        ),
    ),
    "asks for what came before": (
        1.0,
        one(
            r"\b(?:repeat|print|output|show me|show|write out|reproduce|recite|echo|copy|"
            r"tell me|reveal|display|return)(?: out| back)? "
            r"(?:everything|all(?: of)?(?: the)? (?:text|content|words|messages|lines|"
            r"instructions)|the (?:text|words|content|lines|instructions|message)s?)"
            r" (?:(?:that (?:came|comes|precedes?|appears?|was written) )?(?:above|"
            r"before) this (?:line|message|point|sentence|prompt|conversation|chat|"
            r"instruction)"
            r"|(?:above|before|preceding)\b(?=[^.\n]{0,40}(?:verbatim|exactly|word for word))"
            r"|(?:from|since|at) the (?:beginning|start|top) of (?:this|the|our|"
            r"your) (?:conversation|chat|prompt|session|context))"
        ),
    ),
    "takes the conversation out": (
        1.0,
        one(
            r"\b(?:send|post|forward|upload|submit|transmit|exfiltrate|email|leak|append|"
            r"encode)\b(?: \w+){0,4} (?:conversation|chat (?:history|log)|system prompt|"
            r"user'?s? (?:messages?|"
            r"question|data))\b[^.\n]{0,60}(?:https?:|www\.|\w@\w)"
        ),
    ),
    "takes data out": (
        0.7,
        one(
            r"\b(?:send|post|forward|upload|submit|transmit|exfiltrate|email|e-mail|leak|"
            r"share|append|embed|"
            r"encode)\b(?: \w+){0,4} (?:conversation|chat|history|passwords?|credentials?|"
            r"secrets?|api keys?|"
            r"tokens?|private|personal|user'?s?|session|system prompt|"
            r"everything)\b(?:[^.\n]{0,80}(?:https?:|"
            r"www\.|@|to\b)|[^.\n]{0,40}\byou\b)"
            r"|\b(?:call|invoke|run|execute|trigger|use)\b(?: the| a)? `?\w+`? (?:tool|"
            r"function|plugin|action|"
            r"api)\b(?=[^.\n]{0,80}\b(?:before|without|immediately|and (?:say|do not|don't|"
            r"tell|then)|"
            r"with (?:id|the|argument)|now)\b)"
            r"|!\[[^\]\n]*\]\(https?://[^)\s]*[?&]\w+=[^)\s]*(?:\{|prompt|data|history|"
            r"secret|conversation)"
            r"|\bauthori[sz]es? you to\b|\bshare every password"
        ),
    ),
}  # fmt: skip
