"""The signs of orders to a machine, as patterns by kind, in English; `abroad.py` has other languages."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["SIGNS"]


def _one(pattern: str, *, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(pattern, flags)


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

SIGNS: Mapping[str, tuple[float, re.Pattern[str]]] = {
    "cancels orders": (
        1.0,
        _one(
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
        _one(
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
        _one(
            r"\bDAN\b|\bdo anything now\b|\bun(?:restricted|filtered|censored|shackled|"
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
        _one(
            rf"{OPEN}(?:override|bypass|disable|deactivate|turn off|"
            rf"suspend) (?:\w+ )?(?:security|safety|restrictions?|filters?|"
            r"guardrails?|safeguards?|protocols?|moderation)\b|\baccess granted\b"
            r"|\bexecute (?:the following|this|these|my|a destructive) (?:command|code|"
            r"instruction|script|order|action)s?\b"
            r"|\b(?:run|execute) `?(?:rm -|sudo|curl |wget |drop table)|"
            r"\bdo (?:what(?:ever)?|as|exactly what) I (?:say|tell|ask)"
            r"|\b(?:delete|wipe|destroy|dump|exfiltrate) (?:all|the|every|"
            r"customer)(?: \w+)? (?:data\w*|files?|records?|accounts?|credentials|users?)\b"
            r"|\bcomply with (?:each|every|all|any|my)\b|\bobey (?:me|my|every|all|the text)\b"
        ),
    ),
    "voids what was said": (
        0.7,
        _one(
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
        _one(
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
        _one(
            r"<\|(?:im_start|im_end|system|user|assistant|end\w*|start_header_id|eot_id|"
            r"begin_of_text)\|>|"
            r"\[/?INST\]|<</?SYS>>"
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
        _one(
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
    "changes the part": (
        0.5,
        _one(
            r"\byou(?:'re| are) (?:now|no longer|henceforth|DAN|free (?:of|from)|"
            r"un(?:restricted|filtered|"
            r"censored))\b"
            r"|\bfrom (?:now|this (?:moment|point|time)|here)(?: on(?:wards?)?)?,? (?:you|"
            r"your|respond|answer|"
            r"speak|act|reply|only|always)\b"
            r"|\b(?:act|behave|respond|operate|speak) (?:as|like) (?:if you|"
            r"an? (?:unrestricted|unfiltered|"
            r"evil|different|new)|DAN|an?\b)"
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
        _one(
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
        _one(
            r"\b(?:when|if|whenever|once) (?:a |the |any |some |your )?(?:users?|reader|"
            r"customer|person|"
            r"someone|anyone|people|you(?:'re| are)) (?:asks?|is asked|asked|wants?|"
            r"inquires?|requests?|"
            r"mentions?)\b"
        ),
    ),
    "hides from the reader": (
        0.7,
        _one(
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
        _one(
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
        _one(
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
        _one(
            r"\b(?:send|post|forward|upload|submit|transmit|exfiltrate|email|leak|append|"
            r"encode)\b(?: \w+){0,4} (?:conversation|chat (?:history|log)|system prompt|"
            r"user'?s? (?:messages?|"
            r"question|data))\b[^.\n]{0,60}(?:https?:|www\.|\w@\w)"
        ),
    ),
    "takes data out": (
        0.7,
        _one(
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
