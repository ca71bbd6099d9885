"""Orders to a machine in other languages: words that cancel, then what came before; a machine addressed, then told.

The pattern is for text in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["ABROAD", "ASIAN_LETTER"]

# Verbs that cancel, what came before, orders; machine, orders to it: each language in its own words.
LANGUAGES: Mapping[str, tuple[str, str, str, str]] = {
    # cancel | before or told | machine | tell the user, answer only
    "de": (
        (
            r"(?:ignorier\w*|vergiss|vergessen sie|missachte\w*|verwirf|übergeh\w*|"  # codespell:ignore
            r"beachte\w* nicht|setz\w* dich über)"
        ),
        (
            r"(?:vorherig\w*|vorig\w*|bisherig\w*|frühere\w*|obig\w*|oben|zuvor|vorher|"
            r"bisher|alle\w* (?:anweisung|"  # codespell:ignore
            r"regel|vorgabe|befehl)\w*|deine\w* (?:anweisung|regel|vorgabe)\w*|system-?prompt)"  # codespell:ignore
        ),
        (
            r"(?:ki|sprachmodell\w*|ki-?(?:assistent|modell|system)\w*|chatbot\w*|"  # codespell:ignore
            r"assistent(?:en)?|"  # codespell:ignore
            r"künstliche intelligenz)"
        ),
        (
            r"(?:sage?|antworte\w*|teile?|empfiehl|empfehle|gib|schreib\w*|nenne|erwähne|"
            r"verrate|behaupte|tu so)"
        ),
    ),
    "fr": (
        (
            r"(?:ignore[rz]?|oublie[rz]?|ne (?:tiens|tenez) pas compte|néglige[rz]?|"
            r"fais abstraction|désobéis)"
        ),
        (
            r"(?:précédent\w*|antérieur\w*|ci-dessus|avant|auparavant|jusqu'(?:ici|"
            r"à présent)|tes (?:instructions|"
            r"consignes|règles)|toutes? (?:les )?(?:instructions|consignes|règles))"
        ),
        (
            r"(?:ia|i\.a\.|assistant\w*(?: ia)?|modèle de langage|"  # codespell:ignore
            r"intelligence artificielle|chatbot|"
            r"agent conversationnel)"
        ),
        (
            r"(?:dis|dites|réponds|répondez|recommande[rz]?|ne (?:parle|dis|mentionne|"
            r"révèle)\w*|affirme[rz]?|"
            r"écris|indique[rz]?)"
        ),
    ),
    "es": (
        r"(?:ignor[ae]\w*|olvid[ae]\w*|haz caso omiso|no hagas caso|descart[ae]\w*|desobedece)",  # codespell:ignore
        (
            r"(?:anterior\w*|previ[ao]s?|arriba|antes|hasta ahora|tus (?:instrucciones|reglas)|"
            r"todas las (?:instrucciones|reglas|órdenes))"
        ),
        r"(?:ia|asistente\w*(?: de ia)?|modelo de lenguaje|inteligencia artificial|chatbot)",
        (
            r"(?:di(?:le|ga|gan)?|responde\w*|contesta\w*|recomiend[ae]\w*|no (?:menciones|"  # codespell:ignore
            r"digas|reveles)|afirma|"
            r"escribe|indica)"
        ),
    ),
    "it": (
        r"(?:ignora\w*|dimentica\w*|trascura\w*|non (?:seguire|tenere conto)|scarta\w*)",  # codespell:ignore
        (
            r"(?:precedent\w*|prima|sopra|finora|in precedenza|tue (?:istruzioni|regole)|"
            r"tutte le (?:istruzioni|regole))"
        ),
        (
            r"(?:ia|ai|assistente\w*(?: (?:ai|ia))?|modello linguistico|"
            r"intelligenza artificiale|chatbot)"
        ),
        (
            r"(?:di'?|dici|dite|rispond\w*|consiglia\w*|raccomanda\w*|non (?:menzionare|"
            r"rivelare|dire)|scrivi|afferma)"
        ),
    ),
    "pt": (
        r"(?:ignor[ea]\w*|esqueç\w*|esquece\w*|desconsider[ea]\w*|descart[ea]\w*|não siga)",
        (
            r"(?:anterior\w*|prévi[ao]s?|acima|antes|até agora|suas (?:instruções|regras)|"
            r"todas as (?:instruções|"
            r"regras|ordens))"
        ),
        r"(?:ia|assistente\w*(?: de ia)?|modelo de linguagem|inteligência artificial|chatbot)",
        (
            r"(?:dig[ao]|diz|respond[ae]\w*|recomend[ea]\w*|não (?:mencione|diga|revele)|"  # codespell:ignore
            r"escreva|afirme)"
        ),
    ),
    "nl": (
        r"(?:negeer\w*|vergeet|vergeten|sla \w+ over|laat \w+ buiten beschouwing)",
        (
            r"(?:vorige|voorgaande|eerdere?|bovenstaande|hiervoor|tot nu toe|"
            r"je (?:instructies|regels)|"
            r"alle (?:instructies|regels|opdrachten))"  # codespell:ignore
        ),
        (
            r"(?:ai|taalmodel\w*|ai-?(?:assistent|model)\w*|assistent|chatbot|"  # codespell:ignore
            r"kunstmatige intelligentie)"
        ),
        r"(?:zeg|antwoord\w*|vertel|beveel|noem|schrijf|vermeld)",
    ),
    "ru": (
        (
            r"(?:игнорируй\w*|проигнорируй\w*|забудь\w*|не (?:следуй|обращай)\w*|отбрось\w*|"
            r"отмени\w*)"
        ),
        (
            r"(?:предыдущ\w*|прежн\w*|ранее|раньше|выше|до этого|всё|все (?:инструкции|"
            r"правила|указания)|"
            r"сво\w+ (?:инструкции|правила))"
        ),
        (
            r"(?:ии|языков\w+ модел\w*|нейросет\w*|искусственн\w+ интеллект\w*|ассистент\w*|"
            r"чат-?бот\w*)"
        ),
        (
            r"(?:скажи\w*|ответь\w*|отвечай\w*|сообщи\w*|рекомендуй\w*|порекомендуй\w*|"
            r"не (?:упоминай|говори|"
            r"раскрывай)\w*|напиши\w*)"
        ),
    ),
    "pl": (
        r"(?:zignoruj\w*|ignoruj\w*|zapomnij\w*|pomiń|odrzuć)",
        (
            r"(?:poprzedni\w*|wcześniejsz\w*|powyższ\w*|wcześniej|dotychczas\w*|"
            r"wszystkie (?:instrukcje|zasady|"
            r"polecenia))"
        ),
        r"(?:ai|model\w* językow\w*|sztuczn\w+ inteligencj\w*|asysten\w*|chatbot\w*)",
        (
            r"(?:powiedz\w*|odpowiedz\w*|odpowiadaj\w*|poleć|napisz\w*|nie (?:wspominaj|mów|"
            r"ujawniaj)\w*)"
        ),
    ),
}  # fmt: skip
ASIAN = (
    r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|抛开|丢弃)[^。！？\n]{0,20}(?:之前|以前|先前|以上|上述|前面|此前|所有|一切|"
    r"系统)[^。！？\n]{0,20}(?:指示|指令|要求|"
    r"提示|规则|規則|命令|内容|话|說|说)"
    r"|(?:人工智能|语言模型|語言模型|智能助手|聊天机器人|ai(?:助手|模型)?)[^。！？\n]{0,16}[：:，,][^。！？\n]{0,40}(?:告诉|"
    r"告訴|回答|回复|回覆|推荐|推薦|不要|请)"
    r"|(?:これまで|以前|今まで|前|上記|先ほど|すべて|全て)[^。！？\n]{0,24}(?:指示|命令|ルール|プロンプト|内容|"
    r"設定)[^。！？\n]{0,16}(?:無視|忘れ|破棄|従わない)"
    r"|(?:ai|人工知能|言語モデル|アシスタント|チャットボット)[^。！？\n]{0,16}(?:へ|に|は)?[：:、,][^。！？\n]{0,60}(?:伝え|"
    r"答え|回答|推奨|言って|教え|書い)"
    r"|(?:이전|앞선|위의|모든|지금까지)[^.!?\n]{0,20}(?:지시|명령|규칙|프롬프트|지침)[^.!?\n]{0,12}(?:무시|잊)"
)


def _abroad() -> re.Pattern[str]:
    parts = [ASIAN]
    for cancel, before, machine, say in LANGUAGES.values():
        parts.append(rf"\b{cancel}\b[^.!?\n]{{0,60}}?\b{before}(?!\w)")
        parts.append(rf"\b{machine}(?!\w)[^.!?\n]{{0,30}}[:,!][^.!?\n]{{0,60}}?\b{say}(?!\w)")
    return re.compile("|".join(parts))


ABROAD = _abroad()
ASIAN_LETTER = re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")  # one of these, or the words of `gates.py`
