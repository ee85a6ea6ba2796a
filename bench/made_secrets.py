"""Made-up texts with a secret in each, and ordinary texts that look as if they had one; drawn anew from a seed."""

import hashlib
import random
import re
import string
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
_CLASSES = {
    "a": ALNUM,
    "L": string.ascii_letters,
    "l": string.ascii_lowercase + string.digits,
    "d": string.digits,
    "h": HEX,
    "b": ALNUM + "-_",
    "B": ALNUM + "+/",
    "T": string.ascii_uppercase + "234567",
}


class Made(NamedTuple):
    """A text, and what in it must not be kept."""

    sort: str
    """Keys, passwords, cards …: what the figures are told by."""
    text: str
    secret: str


def made_secrets(seed: int) -> list[Made]:
    """A text of each form, every secret drawn from `seed`; none of them opens anything."""
    draw = Draw(random.Random(seed))
    made = [_told("token", text, make(draw)) for text, make in _TOKENS]
    made += [_told("password", text, make(draw)) for text, make in _PASSWORDS]
    made += [_told("connection string", text, make(draw)) for text, make in _CONNECTIONS]
    made += [
        _told("private key", text, draw.block(name)) for name in _BLOCKS for text in ("{}", "Deploy with\n{}\nplease.")
    ]
    made += [_told("card", text, draw.card(prefix, length, gap)) for text, prefix, length, gap in _CARDS]
    return made


def fresh_texts(seed: int, part: str) -> list[Made]:
    """Texts of `fresh_secrets.tsv`, written before the rules were; nothing is fitted to the part "aside".

    `<…>` is the secret, `{a:40}` 40 random characters of a class, `{{` a brace. A text without a secret has none.
    """
    rng, made = random.Random(seed), list[Made]()
    for line in (Path(__file__).parent / "fresh_secrets.tsv").read_text("utf-8").splitlines():
        where, sort, text = line.split("\t")
        text = re.sub(
            r"(?<!\{)\{(\w):(\d+)\}", lambda match: "".join(rng.choices(_CLASSES[match[1]], k=int(match[2]))), text
        )
        text = text.replace("{{", "{").replace("}}", "}")
        secret = re.search("<(.*)>", text) if sort == "secret" else None
        if where == part:
            made.append(Made(sort, text.replace(secret[0], secret[1]), secret[1]) if secret else Made(sort, text, ""))
    return made


def ordinary_texts(seed: int) -> list[str]:
    """Texts that hold digests, ids, versions, telephones, and talk of passwords; no secret among them."""
    rng = random.Random(seed)
    digest = [
        hashlib.new(name, str(rng.random()).encode()).hexdigest() for name in ("sha1", "sha256", "md5", "sha512") * 20
    ]
    numbered = [
        text.format(value)
        for value in digest
        for text in (
            "Fixed in commit {}.",
            "The image is pinned at sha256:{}.",
            "git+https://example.org/repo@{}",
            "etag {}",
        )
    ]
    for _ in range(40):
        digits = "".join(rng.choices("0123456789", k=16))
        numbered += [
            f"The request id is {uuid.UUID(int=rng.getrandbits(128))}.",
            f"id: {uuid.UUID(int=rng.getrandbits(128))}",
            f"Order number {digits} has shipped.",
            f"订单号 {digits} 已发货。",
            f"Call me at +1 415 {rng.randrange(200, 999)} {rng.randrange(1000, 9999)}.",
            f"ISBN 978-{rng.randrange(10)}-{rng.randrange(10**4):04}-{rng.randrange(10**4):04}-{rng.randrange(10)}",
            f"The build took place at {rng.randrange(1_600_000_000_000, 1_999_999_999_999)} ms since 1970.",
            f"Upgrade to {rng.randrange(20)}.{rng.randrange(40)}.{rng.randrange(99)}-rc.{rng.randrange(9)}.",
            f"我的电话是 138{rng.randrange(10**8):08}。",
            f"The train leaves on 2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02} at {rng.randrange(24):02}:{rng.randrange(60):02}.",
            f"Tracking number: 1Z{''.join(rng.choices(string.ascii_uppercase + string.digits, k=16))}",
            f"The invoice {rng.randrange(10**9)} of {rng.randrange(10, 9999)} euros is paid.",
        ]
    return [*numbered, *_TALK]


class Draw:
    """Draws made-up secrets. Not thread-safe."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def of(self, characters: str, length: int, *, before: str = "", after: str = "") -> str:
        """So many of the characters, a digit and a letter among them, between what a service puts around them."""
        drawn = self._rng.choices(characters, k=length)
        drawn[length // 2] = (
            next(c for c in characters if c.isdigit()) if any(map(str.isdigit, characters)) else drawn[length // 2]
        )
        drawn[length // 3] = (
            next(c for c in characters if c.isalpha()) if any(map(str.isalpha, characters)) else drawn[length // 3]
        )
        return before + "".join(drawn) + after

    def block(self, name: str) -> str:
        """A block of PEM."""
        lines = "\n".join("".join(self._rng.choices(ALNUM + "+/", k=64)) for _ in range(8))
        return f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----"

    def card(self, prefix: str, length: int, gap: str) -> str:
        """A card's number whose digits add up, in groups."""
        body = prefix + "".join(self._rng.choices(string.digits, k=length - len(prefix) - 1))
        doubled = [int(d) if n % 2 else sum(divmod(2 * int(d), 10)) for n, d in enumerate(reversed(body))]
        number = body + str(-sum(doubled) % 10)
        groups = (
            [number[:4], number[4:10], number[10:]]
            if length in (14, 15)
            else [number[at : at + 4] for at in range(0, length, 4)]
        )
        return gap.join(groups)


def _told(sort: str, text: str, secret: str) -> Made:
    return Made(sort, text.format(secret), secret)


def _of(characters: str, length: int, before: str = "", after: str = "") -> Callable[[Draw], str]:
    return lambda draw: draw.of(characters, length, before=before, after=after)


def _is(secret: str) -> Callable[[Draw], str]:
    return lambda draw: secret


_UPPER = string.ascii_uppercase + "234567"
_TOKENS = [
    ("The AWS key of the CI user is {}.", _of(_UPPER, 16, "AKIA")),
    ("aws_access_key_id = {}", _of(_UPPER, 16, "ASIA")),
    ("aws_secret_access_key = {}", _of(ALNUM + "/+", 40)),
    ("AWS_SECRET_ACCESS_KEY={}", _of(ALNUM, 40)),
    ("I pushed with {} yesterday", _of(ALNUM, 36, "ghp_")),
    ("export GITHUB_TOKEN={}", _of(ALNUM, 36, "gho_")),
    ("server to server {}", _of(ALNUM, 36, "ghs_")),
    ("use {} to clone", _of(ALNUM, 59, "github_pat_11")),
    ("GitLab: {}", _of(ALNUM, 20, "glpat-")),
    ("runner {}", _of(ALNUM, 20, "glrt-")),
    ("the bot posts with {}", _of(ALNUM, 24, "xoxb-123456789012-1234567890123-")),
    ("{} is the user token", _of(ALNUM, 32, "xoxp-1111111111-2222222222-")),
    ("Slack app {}", _of(HEX, 64, "xapp-1-A0123456789-1234567890123-")),
    ("post to https://hooks.slack.com/{}", _of(ALNUM, 24, "services/T00000000/B00000000/")),
    ("OPENAI_API_KEY={}", _of(ALNUM, 48, "sk-")),
    ("the key {} is for the demo", _of(ALNUM + "_-", 80, "sk-proj-")),
    ("key: {}", _of(ALNUM, 60, "sk-svcacct-")),
    ("ANTHROPIC_API_KEY: {}", _of(ALNUM + "_-", 90, "sk-ant-api03-")),
    ("Claude runs on {}", _of(ALNUM, 80, "sk-ant-oat01-")),
    ("OpenRouter {}", _of(HEX, 64, "sk-or-v1-")),
    ("DeepSeek 的 key 是 {}", _of(HEX, 32, "sk-")),
    ("maps use {}", _of(ALNUM, 35, "AIza")),
    ("oauth {}", _of(ALNUM, 60, "ya29.a0")),
    ("client_secret: {}", _of(ALNUM, 28, "GOCSPX-")),
    ("charge with {}", _of(ALNUM, 24, "sk_live_")),
    ("in tests {}", _of(ALNUM, 24, "sk_test_")),
    ("restricted {}", _of(ALNUM, 24, "rk_live_")),
    ("signing {}", _of(ALNUM, 32, "whsec_")),
    ("//registry.npmjs.org/:_authToken={}", _of(ALNUM, 36, "npm_")),
    ("twine uploads with {}", _of(ALNUM + "_-", 150, "pypi-AgEIcHlwaS5vcmc")),
    ("the cookie holds {}", _of(ALNUM + "_-", 43, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.")),
    ("Authorization: Bearer {}", _of(ALNUM, 40)),
    ("curl -H 'authorization: bearer {}' x", _of(ALNUM, 32)),
    ("push the model with {}", _of(ALNUM, 34, "hf_")),
    ("bot {}", _of(ALNUM, 33, "123456789:AA")),
    ("Discord: {}", _of(ALNUM, 27, "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.")),
    ("https://discord.com/api/webhooks/{}", _of(ALNUM, 68, "123456789012345678/")),
    ("mail goes out with {}", _of(ALNUM, 43, "SG.abcdefghij0123456789AB.")),
    ("mailgun {}", _of(HEX, 32, "key-")),
    ("Mailchimp {}", _of(HEX, 32, "", "-us21")),
    ("Twilio {}", _of(HEX, 32, "SK")),
    ("shop {}", _of(HEX, 32, "shpat_")),
    ("Square {}", _of(ALNUM, 22, "sq0atp-")),
    ("dbx {}", _of(HEX, 32, "dapi")),
    ("droplet {}", _of(HEX, 64, "dop_v1_")),
    ("vault login {}", _of(ALNUM, 90, "hvs.")),
    ("terraform {}", _of(ALNUM, 67, "abcdefghij0123.atlasv1.")),
    ("Jira {}", _of(ALNUM, 180, "ATATT3xFfGF0")),
    ("gsk: {}", _of(ALNUM, 52, "gsk_")),
    ("xai: {}", _of(ALNUM, 80, "xai-")),
    ("replicate {}", _of(ALNUM, 37, "r8_")),
    ("Linear {}", _of(ALNUM, 40, "lin_api_")),
    ("Figma {}", _of(ALNUM, 40, "figd_")),
    ("grafana {}", _of(ALNUM, 41, "glsa_")),
    ("docker login -p {}", _of(ALNUM, 27, "dckr_pat_")),
    ("gem push with {}", _of(HEX, 48, "rubygems_")),
    ("supabase {}", _of(HEX, 40, "sbp_")),
    ("阿里云 {}", _of(ALNUM, 20, "LTAI")),
    ("腾讯云 {}", _of(ALNUM, 32, "AKID")),
    ("Azure app {}", _of(ALNUM, 31, "abc8Q~")),
    ("The API key is {}.", _of(ALNUM, 32)),
    ("api_key: '{}'", _of(HEX, 40)),
    ("my access token for the wiki is {}", _of(ALNUM, 24)),
    ('{{"token": "{}"}}', _of(ALNUM, 40)),
    ("X-Api-Key: {}", _of(ALNUM, 32)),
    ("https://example.org/hook?access_token={}", _of(ALNUM, 24)),
    ("https://b.blob.core.windows.net/c?sv=2024&sig={}", _of(ALNUM, 43, "", "%3D")),
    ("wallet: {}", _of("qpzry9x8gf2tvdw0s3jn54khce6mua7l".upper(), 58, "AGE-SECRET-KEY-1")),
    ("API 密钥是 {}", _of(ALNUM, 32)),
    ("访问令牌：{}", _of(ALNUM, 40)),
    ("0x{} is my eth private key", _of(HEX, 64)),
    ("The wallet's private key for the savings is {}", _of(HEX, 64)),
    ("bitcoin key {}", _is("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ")),
    ("The recovery phrase is: {}", _is("legal winner thank year wave sausage worth useful legal winner thank yellow")),
]
_STRONG = _of(ALNUM + "!@#$%&*", 14, "k")
_PASSWORDS = [
    ("The password is {}.", _is("hunter2")),
    ("My password is {}", _STRONG),
    ("the wifi password is {}", _is("sunflower77")),
    ("The wifi password is {}.", _is("sunshine")),
    ("The password for the guest network is {}, tell Maya.", _is("blue-Lagoon-42")),
    ("Password: {}", _STRONG),
    ("password={}", _STRONG),
    ("DB_PASSWORD={}", _is("s3cr3tpw")),
    ('"password": "{}"', _is("Tr0ub4dor&3")),
    ('{{"user": "ada", "dbPassword": "{}"}}', _STRONG),
    ("passphrase: {}", _is("correct-horse-battery-staple")),
    ('The passphrase is "{}".', _is("correct horse battery staple")),
    ("I changed the password to {} today.", _is("Winter2026!")),
    ("The root password was changed to {}", _STRONG),
    ("the router's password's {}", _is("q1w2e3r4")),
    ("login with password {} on the NAS", _is("nas4ever99")),
    ("The password is now {}", _is("NewHorizon88")),
    ("mysql --password={} -u root", _is("r00tr00t")),
    ("sshpass -p {} ssh ada@host", _is("Ssh2pass")),
    ("curl -u ada:{} https://example.org", _is("cURLs3cret")),
    ("The credentials are admin / {}", _is("admin!2026")),
    ("login: ada / {}", _is("lovelace1815")),
    ("Authorization: Basic {}", _is("YWRhOmxvdmVsYWNlMTgxNQ==")),
    ("pwd: {}", _is("abc12345")),
    ("The passcode is {}.", _is("482913")),
    ("My PIN is {}.", _is("4821")),
    ("The CVV is {}.", _is("737")),
    ("密码是{}", _is("hunter2abc")),
    ("我的密码是 {}。", _STRONG),
    ("路由器的密码改成了 {}", _is("luyou2026")),
    ("WiFi 密码：{}", _is("88888888")),
    ("邮箱密码为{}，别告诉别人", _is("Mail#2026")),
    ("管理员口令是“{}”", _is("芝麻开门吧")),
    ("服务器密码(测试)是 {}", _is("test@1234")),
    ("银行卡密码是 {}。", _is("135790")),
    ("Das Passwort ist {}.", _is("Geheim2026")),
    ("Das Kennwort lautet {}.", _is("b4hnh0f!")),
    ("Le mot de passe est {}.", _is("Soleil2026")),
    ("La contraseña es {}.", _is("amigo1234")),
    ("A senha é {}.", _is("praia2026")),
    ("パスワードは{}です", _is("sakura2026")),
    ("비밀번호는 {}", _is("hangul2026")),
    ("пароль: {}", _is("moskva1147")),
    ("Netflix login is maya@example.org with password {}", _is("Popcorn!99")),
    ("wifi: HomeNet / pass: {}", _is("kitchen2024")),
    ("the alarm password? it's {}", _is("tulip-77")),
    ("my laptop password: {}", _is("MyD0gRex")),
    ("Password for the VPN - use {}", _is("Zx9!kd83")),
    ("We set the admin password as {}", _is("letmein123")),
    ("root password => {}", _is("toor!toor")),
    ("spring.datasource.password={}", _is("pa55word")),
    ("<password>{}</password>", _is("hunter42")),
    ("PGPASSWORD={} psql", _is("abc123")),
    ("docker login -u ada -p {}", _is("Wh4le2026")),
    ("the combination of user ada and password {}", _is("lovelace1")),
    ("数据库密码设置为 {}", _is("Db@2026x")),
    ("登录密码改为{}", _is("abc88888")),
    ("账号 admin 密码 {}", _is("admin888")),
    ("支付密码：{}", _is("135246")),
    ("token={}", _is("xyz_9f8e7d6c5b4a3f2e1d0c")),
    ("api-key header value = {}", _is("7Gh2kLp9Qw3eRt5Y")),
    ("basic auth admin:{}", _is("Sup3rS3cret")),
    ("Her PIN code: {}", _is("9471")),
    ("password hint: first pet; password: {}", _is("Rex2009!")),
    ("PW: {}", _is("Sommer2026!")),
    ("user=ada pass={}", _is("ada4ever")),
    ("Spotify: maya / password = {}", _is("Jazz1959")),
    ("remember that the garage door password is {}", _is("7733")),
    ("Our Jira service account password got changed to {}", _is("Kite-flying-8")),
    ("the NAS admin's password: {}", _is("Blue$ky")),
    ("Password to unlock the PDF: {}", _is("invoice2026")),
    ('smtp_password: "{}"', _is("mailpw_77")),
    ("redis-cli -a {}", _is("R3d1spass")),
    ("mongodb://root:{}@mongo:27017", _is("example123")),
    ("微信支付密码是 {}", _is("778899")),
    ("登陆口令：{}", _is("hello@2026")),
    ("服务器 root 密码 {}", _is("Qwer!234")),
    ("contraseña: {}", _is("perro2020")),
    ("Passwort: {}", _is("Katze#99")),
    ("the encryption passphrase is '{}'", _is("north star 9 lantern")),
    ("master password → {}", _is("OakTree!17")),
    ("The admin password: P@ssw0rd was changed to {}", _is("N3wP@ss")),
    ("The old password was Hund55 and the new one is {}", _is("Katze66")),
    ("The old password was {} and the new one is Katze66", _is("Hund55")),
    ("The router password is now Blume42!, it was {}", _is("Rose41!")),
    ("I changed my password from {} to Katze66x", _is("Hund55x")),
    ("I changed my password from Hund55x to {}", _is("Katze66x")),
    ("The wifi password was Sommer2025, now it is {}.", _is("Winter2026")),
    ("密码从 hund5566 改成了 {}", _is("katze7788")),
    ("The root pw for the NAS is {}", _is("tr0ub4dor&3")),
    ("wifi密码 {}", _is("12345678")),
    ("{} is my router password.", _is("Katze66x")),
    ("The alarm code is {}.", _is("4821")),
    ("the door code is {}", _is("9917#")),
    ("Our gate code was changed to {}.", _is("55120")),
    ("The gate code is {}.", _is("4711")),
    ("The alarm code was {}, now it is 5512.", _is("4821")),
    ("The alarm code was 4821, now it is {}.", _is("5512")),
    ("The code for the garage door is {}, tell nobody", _is("7734")),
    ("the pin of my sim card is {}", _is("9034")),
    ("SIM card PIN: {}", _is("9034")),
    ("门禁码是{}。", _is("4821")),
    ("报警器的代码：{}", _is("48213")),
    ("2FA backup codes: {}, 5e6f-7g8h", _is("1a2b-3c4d")),
    ("2FA backup codes: 1a2b-3c4d, {}", _is("5e6f-7g8h")),
    ("GitHub recovery codes are 93847561 {}", _is("10293847")),
]
_CONNECTIONS = [
    ("postgres://app:{}@db.internal:5432/app", _STRONG),
    ("The database is at postgresql://ada:{}@10.0.0.4/prod.", _is("pgpass99")),
    ("mysql://root:{}@localhost/shop", _is("toor1234")),
    ("mongodb+srv://user:{}@cluster0.example.net/db", _of(ALNUM, 16)),
    ("redis://:{}@cache:6379/0", _of(ALNUM, 24)),
    ("amqp://guest:{}@mq:5672/", _is("rabbit4all")),
    ("https://ada:{}@example.org/repo.git", _of(ALNUM, 20)),
    ("Server=db;Database=app;User Id=sa;Password={};", _is("P@ssw0rd1")),
    ("jdbc:postgresql://db/app?user=ada&password={}", _is("jdbcpw123")),
    ("AccountName=store;AccountKey={}==;EndpointSuffix=core.windows.net", _of(ALNUM + "+/", 86)),
    ("Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey={}=", _of(ALNUM + "+/", 43)),
    ("ftp://ada:{}@files.example.org", _is("ftpftp77")),
]
_BLOCKS = (
    "RSA PRIVATE KEY",
    "PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "EC PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
)
_CARDS = [
    ("My card is {}.", "4", 16, " "),
    ("card number {} exp 12/28", "4", 16, ""),
    ("Visa {}", "4", 16, "-"),
    ("The company card {} is for travel.", "51", 16, " "),
    ("Mastercard: {}", "2221", 16, " "),
    ("Amex {}", "37", 15, " "),
    ("amex number {}", "34", 15, ""),
    ("Discover {}", "6011", 16, " "),
    ("Diners {}", "36", 14, ""),
    ("JCB {}", "3530", 16, " "),
    ("银联卡 {}", "622848", 19, " "),
    ("我的信用卡号是 {}", "4", 16, " "),
]

_TALK = """\
The password is required.
The password is wrong, try again.
The password must be at least 12 characters long.
A password is 12 characters or longer.
The password policy is 12 characters, rotated every 90 days.
Passwords are hashed with argon2id.
The password is hashed with bcrypt before it is stored.
The password is case-sensitive.
The password is in 1Password.
We store the password in the vault at secret/data/app.
The password field is empty.
Password: <your password>
password = getpass.getpass()
password: str
password: string
PASSWORD=${DB_PASSWORD}
password=$PASSWORD
password: {{ vault_password }}
password: ********
password: null
DB_PASSWORD is read from the environment.
The password was changed last week.
I forgot my password again.
The password reset mail never came.
Ada prefers a passphrase over a password.
My password manager is KeePassXC.
The password hash is SHA256.
The password encoding is base64.
The token is valid for 24 hours.
The token expires after 15 minutes.
An access token is refreshed every hour.
We count tokens with o200k_base.
The answer has a budget of 2,000 tokens.
The secret is to salt the water early.
The secret of the sauce is fish stock.
API keys are kept in the vault.
The API key is rotated every quarter.
The API key is stored in AWS Secrets Manager.
Use api_key=os.environ["API_KEY"].
api_key: YOUR_API_KEY
The key to the flat lies under the stone.
The primary key is order_id.
The public key is in authorized_keys.
The encryption key is derived with PBKDF2.
The private key is in the keychain.
The bearer of this letter is my brother.
Bearer tokens are sent in the header.
The door is 9917 mm wide.
The machine stopped with error code 4821.
The status code is 404, the exit code was 1001.
My zip code is 94110.
The country code is 4930 there.
The door code is reviewed on Monday.
The code of the alarm service is 4821 lines long.
The alarm code lives in alarm.py, 1200 lines.
The safe limit is 4000.
The card reader code is at revision 4821.
Gate 4821 is closed.
The building code is 2021.
The backup codes are in the safe.
The backup code is 2048 lines long.
The recovery code path is tested.
The sim has 4000 cars.
The hash of the private key file is 3b5d5c3712955042212316173ccf37be800d3b5d5c3712955042212316173cc1.
The private key was rotated in commit 3b5d5c3712955042212316173ccf37be800d3b5d5c3712955042212316173cc1.
The password was changed in 2024 and it was overdue.
The password is hashed with argon2id and the new one is bcrypt-free.
I changed my password from time to time.
The passwords moved from LastPass to Bitwarden.
The password is required, it was optional.
pw is short for password.
The pw for the NAS is in the vault.
密码 8 位以上。
密码从明文改成了哈希。
验证码是 4821。
邮政编码是 100084。
代码 4821 行。
The room number is 2048.
The port is 5432.
The deploy port changed from 8080 to 9090.
http://localhost:8080/path@v2
See https://example.org/login?next=/home&page=2.
ssh git@github.com:ada/engine.git
mailto:ada@example.org
The server listens on tcp://0.0.0.0:5555.
Pin the version to 1.2.3.
Pin the memory so that it stays.
The pin is on the left lapel.
The credentials are kept in the vault.
Log in with your work account and the code.
The seed is 42.
The random seed is 1234567890.
The checksum is d41d8cd98f00b204e9800998ecf8427e.
The recovery time is 4 hours.
My IBAN changed when I moved banks.
The model is all-MiniLM-L6-v2.
The class is AbstractSingletonProxyFactoryBean.
The variable is called myPasswordField.
Task ids look like TASK-2026-0042.
The sk-learn example needs numpy.
The key-value store is Redis.
密码必须至少 8 位。
密码是用 bcrypt 加密的。
密码错误，请重试。
我忘了密码。
密码保存在 1Password 里。
口令红包很有意思。
密钥每季度更换一次。
令牌有效期是 24 小时。
钥匙在地毯下面。
服务端口是 8080。
请输入密码。
密码长度为 12 位。
Das Passwort ist abgelaufen.
Le mot de passe est obligatoire.
La contraseña es incorrecta.
パスワードは必須です。
The password for staging is the same as last year.
Her password is her cat's name.
The password is on a sticky note.
The Wi-Fi password is on the fridge.
The password is never logged.
The password is sent over TLS 1.3.
Set the password with --password or MCP_PASSWORD.
The secret is stored in kubernetes-secrets-v2.
The session token is a JWT.
The token is called MCP_MEMORY_TOKEN.
The license key is printed on the box.
The next train to Basel is at 14:05.
The account number is 4000 0012 3456.
""".splitlines()
"""Talk of passwords, keys and numbers without one of them being told."""
