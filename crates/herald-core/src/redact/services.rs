//! By what beginnings the tokens of services are known, and what they are made of: the forms that services
//! write down of their own tokens, and that scanners of source code know.
//!
//! A table only; how a token is read stands in `tokens.rs`. Prefixes of public identifiers and of keys that are
//! meant to be shown (Stripe's `pk_`, PostHog's `phc_`, age's `age1`) are left out.

/// Which bytes a token is made of.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// Letters and digits.
    Alnum,
    /// Also `_`.
    Word,
    /// Also `_` and `-`.
    Url,
    /// Also `.`, for tokens in parts.
    Dotted,
    /// `a` to `f` and digits.
    Hex,
    /// Letters and digits, `+`, `/` and `=`.
    Base64,
    /// A path's letters.
    Path,
}

/// One service's tokens.
pub(super) struct Shape {
    pub(super) prefix: &'static str,
    pub(super) body: Body,
    pub(super) min: usize,
    /// Letters of both cases, or letters and digits: words have neither.
    pub(super) mixed: bool,
    /// Whether the prefix stays, because it says where and not what.
    pub(super) keep: bool,
}

const fn shape(prefix: &'static str, body: Body, min: usize) -> Shape {
    Shape { prefix, body, min, mixed: false, keep: false }
}

const fn mixed(prefix: &'static str, body: Body, min: usize) -> Shape {
    Shape { prefix, body, min, mixed: true, keep: false }
}

const fn address(prefix: &'static str) -> Shape {
    Shape { prefix, body: Body::Path, min: 8, mixed: false, keep: true }
}

pub(super) const SHAPES: &[Shape] = &[
    shape("AKIA", Body::Alnum, 16),
    shape("ASIA", Body::Alnum, 16),
    shape("ghp_", Body::Alnum, 20),
    shape("gho_", Body::Alnum, 20),
    shape("ghu_", Body::Alnum, 20),
    shape("ghs_", Body::Alnum, 20),
    shape("ghr_", Body::Alnum, 20),
    shape("github_pat_", Body::Word, 20),
    shape("glpat-", Body::Dotted, 16),
    shape("gldt-", Body::Url, 16),
    shape("glrt-", Body::Dotted, 16),
    shape("glptt-", Body::Url, 16),
    shape("glcbt-", Body::Url, 16),
    shape("xoxb-", Body::Url, 10),
    shape("xoxp-", Body::Url, 10),
    shape("xoxa-", Body::Url, 10),
    shape("xoxr-", Body::Url, 10),
    shape("xoxs-", Body::Url, 10),
    shape("xoxe-", Body::Url, 10),
    shape("xoxe.", Body::Dotted, 10),
    shape("xapp-", Body::Url, 10),
    address("hooks.slack.com/services/"),
    address("hooks.slack.com/workflows/"),
    address("hooks.slack.com/triggers/"),
    address("discord.com/api/webhooks/"),
    address("discordapp.com/api/webhooks/"),
    address("webhook.office.com/webhookb2/"),
    address("outlook.office.com/webhook/"),
    address("api.telegram.org/bot"),
    shape("sk_live_", Body::Alnum, 10),
    shape("sk_test_", Body::Alnum, 10),
    shape("rk_live_", Body::Alnum, 10),
    shape("rk_test_", Body::Alnum, 10),
    shape("whsec_", Body::Alnum, 16),
    shape("AIza", Body::Url, 30),
    shape("GOCSPX-", Body::Url, 16),
    shape("ya29.", Body::Dotted, 20),
    shape("npm_", Body::Alnum, 30),
    shape("pypi-AgE", Body::Url, 16),
    shape("SG.", Body::Dotted, 40),
    shape("SK", Body::Hex, 32),
    shape("dop_v1_", Body::Hex, 32),
    shape("doo_v1_", Body::Hex, 32),
    shape("dor_v1_", Body::Hex, 32),
    shape("hvs.", Body::Url, 20),
    shape("hvb.", Body::Url, 20),
    shape("hvr.", Body::Url, 20),
    mixed("sk-", Body::Url, 20),
    shape("dckr_pat_", Body::Url, 16),
    mixed("hf_", Body::Alnum, 30),
    shape("glsa_", Body::Word, 20),
    shape("shpat_", Body::Hex, 16),
    shape("ATATT3", Body::Url, 20),
    shape("AGE-SECRET-KEY-1", Body::Alnum, 20),
    mixed("rubygems_", Body::Hex, 32),
    mixed("xkeysib-", Body::Url, 32),
    mixed("PMAK-", Body::Url, 32),
    shape("ABIA", Body::Alnum, 16),
    shape("ACCA", Body::Alnum, 16),
    shape("ABSK", Body::Base64, 100),
    shape("LTAI", Body::Alnum, 17),
    shape("glft-", Body::Url, 16),
    shape("glimt-", Body::Url, 16),
    shape("glagent-", Body::Url, 16),
    shape("gloas-", Body::Url, 16),
    shape("glsoat-", Body::Url, 16),
    shape("glffct-", Body::Url, 16),
    shape("GR1348941", Body::Url, 16),
    shape("xoxo-", Body::Url, 10),
    shape("xoxc-", Body::Url, 10),
    shape("xoxd-", Body::Path, 10),
    address("hooks.zapier.com/hooks/catch/"),
    address("maker.ifttt.com/trigger/"),
    address("hc-ping.com/"),
    shape("1//0", Body::Url, 40),
    shape("dckr_oat_", Body::Url, 16),
    shape("oy2", Body::Alnum, 43),
    shape("cio", Body::Alnum, 32),
    shape("CLOJARS_", Body::Alnum, 40),
    shape("glc_", Body::Base64, 32),
    shape("eyJrIjoi", Body::Base64, 40),
    shape("sntrys_", Body::Base64, 40),
    shape("sntryu_", Body::Hex, 32),
    shape("squ_", Body::Hex, 40),
    shape("sqp_", Body::Hex, 40),
    shape("sqa_", Body::Hex, 40),
    shape("sgp_", Body::Word, 40),
    shape("HRKU-", Body::Url, 36),
    shape("fo1_", Body::Url, 40),
    shape("fm1a_", Body::Base64, 80),
    shape("fm1r_", Body::Base64, 80),
    shape("fm2_", Body::Base64, 80),
    shape("dp.pt.", Body::Alnum, 40),
    shape("dp.ct.", Body::Alnum, 40),
    shape("dp.sa.", Body::Alnum, 40),
    shape("dp.st.", Body::Dotted, 40),
    shape("dt0c01.", Body::Dotted, 64),
    shape("dt0s01.", Body::Dotted, 64),
    shape("dapi", Body::Hex, 32),
    shape("pscale_tkn_", Body::Dotted, 32),
    shape("pscale_pw_", Body::Dotted, 32),
    shape("pscale_oauth_", Body::Dotted, 32),
    shape("v1.0-", Body::Url, 150),
    shape("cfut_", Body::Alnum, 40),
    shape("cfat_", Body::Alnum, 40),
    shape("cfk_", Body::Alnum, 40),
    shape("bkua_", Body::Alnum, 40),
    shape("CCIPAT_", Body::Word, 40),
    shape("figd_", Body::Url, 40),
    shape("AKCp", Body::Alnum, 60),
    shape("cmVmd", Body::Alnum, 59),
    shape("NRAK-", Body::Alnum, 27),
    shape("NRII-", Body::Url, 25),
    shape("NRIQ-", Body::Url, 25),
    shape("tskey-", Body::Url, 20),
    shape("ATCTT3", Body::Base64, 20),
    shape("ATBB", Body::Alnum, 28),
    shape("BBDC-", Body::Base64, 40),
    shape("ntn_", Body::Alnum, 40),
    shape("lin_api_", Body::Alnum, 32),
    shape("lin_oauth_", Body::Alnum, 32),
    shape("pul-", Body::Hex, 40),
    shape("pnu_", Body::Alnum, 36),
    shape("rdme_", Body::Alnum, 60),
    shape("phx_", Body::Word, 40),
    shape("sbp_", Body::Hex, 40),
    shape("rootly_", Body::Hex, 64),
    mixed("ico-", Body::Alnum, 32),
    shape("odt_", Body::Alnum, 32),
    shape("dnkey-", Body::Url, 60),
    shape("fio-u-", Body::Url, 60),
    shape("p8e-", Body::Alnum, 32),
    mixed("aio_", Body::Alnum, 28),
    shape("mdb_sa_sk_", Body::Url, 34),
    shape("ops_eyJ", Body::Base64, 100),
    shape("sha256~", Body::Url, 43),
    shape("CFPAT-", Body::Url, 40),
    shape("tfp_", Body::Word, 40),
    shape("gsk_", Body::Alnum, 48),
    shape("r8_", Body::Url, 37),
    shape("pplx-", Body::Alnum, 40),
    mixed("xai-", Body::Word, 60),
    mixed("nvapi-", Body::Url, 60),
    shape("lsv2_pt_", Body::Word, 40),
    shape("lsv2_sk_", Body::Word, 40),
    shape("pcsk_", Body::Word, 60),
    mixed("api_org_", Body::Alnum, 30),
    mixed("xsmtpsib-", Body::Url, 32),
    mixed("key-", Body::Alnum, 32),
    shape("shpca_", Body::Hex, 16),
    shape("shppa_", Body::Hex, 16),
    shape("shpss_", Body::Hex, 16),
    shape("sq0atp-", Body::Url, 22),
    shape("sq0csp-", Body::Url, 40),
    shape("rzp_live_", Body::Alnum, 14),
    shape("EZAK", Body::Alnum, 54),
    shape("duffel_live_", Body::Url, 40),
    shape("shippo_live_", Body::Hex, 40),
    shape("FLWSECK-", Body::Url, 32),
    shape("grub.pbkdf2.sha512.", Body::Dotted, 64),
];

impl Body {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Body::Alnum => byte.is_ascii_alphanumeric(),
            Body::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Body::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Body::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Body::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
            Body::Hex => byte.is_ascii_hexdigit(),
            Body::Path => {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'/' | b'_' | b'-' | b'@' | b'.' | b':' | b'%')
            }
        }
    }
}
