"""Signs that cancel orders and imitate a conversation, as patterns by kind, for English in lower case."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rerankers.wording import BEFORE, DROP, GAP, MODEL, OPEN, ORDERS, one

__all__ = ["CANCELS"]

CANCELS: Mapping[str, tuple[float, re.Pattern[str]]] = {
    "cancels orders": (
        1.0,
        one(
            rf"{OPEN}{DROP}(?:(?:{GAP % 5}){BEFORE}{GAP % 4}|{GAP % 5}(?:your|the (?:system|"
            rf"developer)(?:'s)?){GAP % 3}"
            rf"|{GAP % 3}(?:all|any|every|these|those){GAP % 3}(?:previous|other|system|"
            rf"your|my|given|existing|"
            rf"current){GAP % 2})"
            rf"{ORDERS}\b(?!{GAP % 2}(?:step|section|chapter)\b)"
            rf"|{OPEN}{DROP}{GAP % 3}(?:all |any |every |the |your |these |"
            rf"those )?{ORDERS}{GAP % 6}(?:{BEFORE}|(?:you|that)(?:'ve| have)?(?: been|"
            rf" were)? (?:received|"
            rf"given|got|told))\b"
        ),
    ),
    "cancels all orders": (
        1.0,
        one(
            rf"{OPEN}(?:ignore|disregard|forget|disobey|override|bypass|discard|reject|"
            rf"break)\W+(?:(?:all|any|every|each)\W+"
            r"(?:of )?(?:the |your |my |our |other |these |those |safety |system |"
            r"security |content |ethical )*"
            r"|your (?:\w+ ){0,2}|the (?:system|developer|user)(?:'?s)? (?:\w+ )?"
            r"|(?:(?:ethical|safety|system|security|content|"
            r"moderation) )*(?=instructions\b|guidelines\b|(?:safety|security) protocols|"
            r"(?:system|safety) constraints))"
            r"(?:instructions?|prompts?|directions|directives?|guidelines?|commands|orders|"
            r"programming|safeguards|guardrails|constraints|content polic(?:y|ies)|protocols|"
            r"safety (?:rules|measures|protocols|filters)|restrictions on you)\b"
            r"(?! (?:in|on|for|about|from|given in|of) (?:this|the|that|a|each|your) )"
            r"|\b(?:forget|ignore|disregard|erase|delete)\W+(?:everything|all|anything|"
            r"whatever|the (?:text|content|words|prompt|conversation)s?)"
            r"(?: of)?(?: the| that| which)?(?: \w+){0,2}? (?:above|before (?:this|now)|"
            r"prior|preceding|so far|until now|up to (?:this|now)|that came before)\b"
        ),
    ),
    "sets free": (
        0.6,
        one(
            r"\bdan\b|\bdo anything now\b|\bun(?:restricted|filtered|censored|shackled|"
            r"aligned)\b|\bjailbroken\b"
            r"|\b(?:no|without(?: any)?|free (?:of|from)(?: all| any)?|zero|"
            r"not bound by(?: any)?|lift(?:s|ed)?(?: all)?) "
            r"(?:\w+ )?(?:restrictions?|limits|limitations?|rules|filters?|guidelines|"
            r"censorship|boundaries|safeguards)\b"
            r"|\b(?:developer|god|dan|jailbreak|unrestricted) mode\b",
        ),
    ),
    "commands the machine": (
        0.5,
        one(
            rf"{OPEN}(?:override|bypass|disable|deactivate|turn off|"
            rf"suspend) (?:\w+ )?(?:security|safety|restrictions?|filters?|"
            r"guardrails?|safeguards?|protocols?|moderation)\b|\baccess granted\b"
            r"|\bexecute (?:the following|this|these|my|a destructive) (?:command|code|"
            r"instruction|script|order|action)s?\b"
            r"|\b(?:run|execute) `?(?:rm -|sudo|curl |wget |drop table)|"
            r"\bdo (?:what(?:ever)?|as|exactly what) i (?:say|tell|ask)"
            r"|\b(?:delete|wipe|destroy|dump|exfiltrate) (?:all|the|every|"
            r"customer)(?: \w+)? (?:data\w*|files?|records?|accounts?|credentials|users?)\b"
            r"|\bcomply with (?:each|every|all|any|my)\b|\bobey (?:me|my|every|all|the text)\b"
        ),
    ),
    "voids what was said": (
        0.7,
        one(
            r"\b(?:everything|anything|all|whatever|what|any\w* \w+|"
            r"\w+s) (?:that )?(?:you(?:'ve| have| had|"
            r" were| are)?(?: ever| just)?(?: been)? (?:told|taught|asked|instructed|said|"
            r"given|learn(?:ed|t)|"
            r"know|receiv\w+|read)|(?:was|were|has been|came|comes|come|stands?|appears?|"  # codespell:ignore
            r"is) (?:said |written |"
            r"told )?(?:before|above|earlier|previously))\b"
            r"|\byour (?:previous |old |original |prior |former )?(?:guidelines?|"
            r"instructions?|rules|orders|"
            r"directives?|programming) (?:have|has|had|are|were|is) (?:now |just |"
            r"been )*(?:updated|changed|"
            r"replaced|revoked|void|cancel\w*|over|obsolete|superseded|suspended|lifted)"
            rf"|{OPEN}(?:forget|ignore|disregard|abandon|"
            rf"drop)\W+(?:\w+\W+){{0,2}}(?:everything|it all|"
            rf"all that|all of (?:that|this|it)|the above|your (?:\w+ )?(?:task|role|job|"
            rf"purpose|rules|"
            rf"instructions|training|act)|the act)\b"
            r"|\bnew (?:instructions?|directives?|orders?|task|rules?|"
            r"system prompt)\b(?= ?:| for| from| follow)"
            r"|\b(?:instructions?|prompt|conversation|document|context|chat|text|"
            r"sources?) (?:above |so far |"
            r"ends? here|is over|ended|has ended|are over|do(?:es)? not exist|are void|is void)+"
        ),
    ),
    "speaks to a machine": (
        0.6,
        one(
            rf"\b(?:note|notice|message|instructions?|attention|directive|reminder|hint|"
            rf"order|memo|warning|"
            rf"hello|hi|hey|dear|ok|okay|to|for)\b[,:]?(?: to| for)?(?: all| any| every|"
            rf" the| our|"
            rf" you,?)*[,:]? {MODEL}\b(?= ?[,:!.–—-]| (?:reading|processing|that (?:reads?|"
            rf"process\w*|see|"
            rf"summari)|who|parsing|summari[sz]ing|answering|scanning|indexing|handling|"
            rf"evaluating|reviewing|"
            rf"and))"
            rf"|(?:^|[.!?\n>]\s*){MODEL} ?[,:!](?= ?\w)|\bplease,? {MODEL},"
            rf"|\bif you(?:'re| are) (?:an?|the|any) {MODEL}\b|\byou,? (?:the|an?|as an?|"
            rf"being an?) {MODEL}\b"
            rf"|(?:^|[.!?\n>:]\s*)(?:all |any )?{MODEL} (?:readers? |models? |systems? |agents? |"
            rf"assistants? )?(?:should|must|shall|are to|is to|have to|has to|will now)\b"
            rf"|\bas an? {MODEL},? you\b|\battention,? {MODEL}\b|\bhey,? {MODEL}\b"
        ),
    ),
    "imitates a conversation": (
        1.0,
        one(
            r"<\|(?:im_start|im_end|system|user|assistant|end\w*|start_header_id|eot_id|"
            r"begin_of_text)\|>|"
            r"\[/?inst\]|<</?sys>>"
            r"|(?:^|[\n>.!?]\s*)#{2,}\s*(?:new |system |updated )?(?:instructions?|system prompt|"
            r"system message|system)\b ?:?(?= ?\n| ?\w)(?=[^\n]*\b(?:you|your|ignore|"
            r"respond|write|answer|"
            r"output|reply|instead|comply|say)\b)"
            r"|\b(?:begin|start|end)(?:ning)?(?: of)?(?: new| the)? system (?:prompt|"
            r"instructions|message)\b"
        ),
    ),
    "speaks as the system": (
        0.6,
        one(
            r"\b(?:system|admin|security|developer) override\b|\[(?:system|admin|"
            r"developer)[^\]\n]{0,20}\]|\{\{ ?(?:system|admin)\b|"
            r"</(?:system|system_prompt|instructions?|context|documents?|sources?|"
            r"user_query)>\s*(?:system|new|"
            r"now|you|ignore|assistant)\b|(?:^|[\n>.!?\]]\s*)\W{0,3}(?:system|developer|admin|"
            r"root)(?: (?:prompt|message|override|note|instructions?|"
            r"update))?\W{0,3}:\s*(?=[^\n]{0,200}\b(?:you|your|ignore|respond|answer|"
            r"output|reply|comply|say|"
            r"must|disregard|is over)\b)"
        ),
    ),
}
