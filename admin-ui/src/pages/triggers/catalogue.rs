//! The hooks that people ask for most, with what each passes: an example to preview with, and the fields one would choose.

use crate::text::t;
use hookcast_api::trigger::Source;
use hookcast_json::{Value, object};

pub struct Hook {
    pub group: &'static str,
    pub label: &'static str,
    pub hook: &'static str,
    pub args: u8,
    /// Event and channel to begin with.
    pub event: &'static str,
    pub channel: &'static str,
    /// Name and path of the fields to begin with.
    pub fields: &'static [(&'static str, &'static str)],
}

const POST_FIELDS: &[(&str, &str)] = &[
    ("id", "1.ID"),
    ("title", "1.post_title"),
    ("status", "1.post_status"),
    ("type", "1.post_type"),
];
const PRODUCT_FIELDS: &[(&str, &str)] = &[("id", "0.id"), ("name", "0.name"), ("stock", "0.stock_quantity")];

pub fn hooks() -> Vec<Hook> {
    let t = &t().triggers;
    let (posts, comments, users, options, shop) = (
        t.group_posts,
        t.group_comments,
        t.group_users,
        t.group_options,
        t.group_shop,
    );
    let hook = |group, label, hook, args, event, channel, fields| Hook {
        group,
        label,
        hook,
        args,
        event,
        channel,
        fields,
    };
    vec![
        hook(
            posts,
            t.hook_save_post,
            "save_post",
            3,
            "post.saved",
            "posts",
            POST_FIELDS,
        ),
        hook(
            posts,
            t.hook_status_post,
            "transition_post_status",
            3,
            "post.status",
            "posts",
            &[
                ("status", "0"),
                ("before", "1"),
                ("id", "2.ID"),
                ("title", "2.post_title"),
            ],
        ),
        hook(
            posts,
            t.hook_trashed_post,
            "trashed_post",
            1,
            "post.trashed",
            "posts",
            &[("id", "0")],
        ),
        hook(
            comments,
            t.hook_comment,
            "comment_post",
            3,
            "comment.added",
            "comments",
            &[
                ("id", "0"),
                ("post", "2.comment_post_ID"),
                ("author", "2.comment_author"),
            ],
        ),
        hook(
            comments,
            t.hook_comment_status,
            "transition_comment_status",
            3,
            "comment.status",
            "comments",
            &[
                ("status", "0"),
                ("before", "1"),
                ("id", "2.comment_ID"),
                ("post", "2.comment_post_ID"),
            ],
        ),
        hook(
            users,
            t.hook_register,
            "user_register",
            1,
            "user.registered",
            "users",
            &[("id", "0")],
        ),
        hook(
            users,
            t.hook_login,
            "wp_login",
            2,
            "user.login",
            "users",
            &[("login", "0"), ("id", "1.ID")],
        ),
        hook(
            users,
            t.hook_profile,
            "profile_update",
            1,
            "user.updated",
            "users",
            &[("id", "0")],
        ),
        hook(
            options,
            t.hook_option,
            "updated_option",
            3,
            "option.updated",
            "options",
            &[("option", "0"), ("value", "2")],
        ),
        hook(
            shop,
            t.hook_new_order,
            "woocommerce_new_order",
            2,
            "order.placed",
            "shop",
            &[("id", "0"), ("total", "1.total"), ("currency", "1.currency")],
        ),
        hook(
            shop,
            t.hook_order_status,
            "woocommerce_order_status_changed",
            4,
            "order.status",
            "shop",
            &[
                ("id", "0"),
                ("before", "1"),
                ("status", "2"),
                ("total", "3.total"),
            ],
        ),
        hook(
            shop,
            t.hook_paid,
            "woocommerce_payment_complete",
            1,
            "order.paid",
            "shop",
            &[("id", "0")],
        ),
        hook(
            shop,
            t.hook_stock,
            "woocommerce_product_set_stock",
            1,
            "stock.changed",
            "shop",
            PRODUCT_FIELDS,
        ),
        hook(
            shop,
            t.hook_low_stock,
            "woocommerce_low_stock",
            1,
            "stock.low",
            "shop",
            PRODUCT_FIELDS,
        ),
    ]
}

/// Values as WordPress passes them, for the examples below.
const PARTS: [(&str, &str); 4] = [
    (
        "$post",
        r#"{"ID":42,"post_title":"Hello world","post_name":"hello-world","post_status":"publish","post_type":"post","post_author":"1","post_date_gmt":"2026-11-20 09:30:00","post_excerpt":"","comment_count":"3"}"#,
    ),
    (
        "$comment",
        r#"{"comment_ID":7,"comment_post_ID":42,"comment_author":"Ada","comment_content":"Nice!","comment_approved":"1"}"#,
    ),
    (
        "$order",
        r#"{"id":1001,"number":"1001","status":"processing","currency":"EUR","total":"49.90","customer_id":12,"billing":{"city":"Vienna","country":"AT"},"line_items":[{"product_id":5,"name":"Mug","quantity":2}]}"#,
    ),
    (
        "$product",
        r#"{"id":5,"name":"Mug","sku":"MUG-1","price":"12.50","stock_quantity":3,"stock_status":"instock"}"#,
    ),
];

fn read(text: &str) -> Value {
    let mut text = text.to_owned();
    for (name, part) in PARTS {
        text = text.replace(name, part);
    }
    hookcast_json::parse(&text).unwrap_or_default()
}

/// An example of what a source passes.
pub fn example(source: &Source) -> Value {
    match source {
        Source::Action { hook, args, .. } => {
            let arguments = match hook.as_str() {
                "save_post" => "[42,$post,true]",
                "transition_post_status" => r#"["publish","draft",$post]"#,
                "trashed_post" => "[42]",
                "comment_post" => "[7,1,$comment]",
                "transition_comment_status" => r#"["approved","unapproved",$comment]"#,
                "user_register" | "profile_update" => "[12]",
                "wp_login" => r#"["ada",{"ID":12,"user_login":"ada","display_name":"Ada"}]"#,
                "updated_option" => r#"["blogname","Old name","New name"]"#,
                "woocommerce_new_order" => "[1001,$order]",
                "woocommerce_order_status_changed" => r#"[1001,"pending","processing",$order]"#,
                "woocommerce_payment_complete" => "[1001]",
                "woocommerce_product_set_stock" | "woocommerce_low_stock" => "[$product]",
                _ => return Value::Array((0..*args).map(|nth| format!("argument {nth}").into()).collect()),
            };
            let mut arguments = read(arguments);
            if let Value::Array(all) = &mut arguments {
                all.truncate(usize::from(*args));
            }
            arguments
        }
        Source::PostType { post_type } => {
            let mut post = read("$post");
            post.set("post_type", Value::from(post_type.as_str()));
            object! { "id": 42, "action": "published", "post": post }
        }
        Source::Option { option } => {
            object! { "option": option.as_str(), "old": "Old value", "new": "New value" }
        }
        Source::Webhook { .. } => read("$order"),
        Source::Dispatch { event } => object! {
            "event": event.as_deref().unwrap_or("message"),
            "data": object! { "text": "Hello" },
            "timestamp": 1_795_000_000,
        },
    }
}

/// Fields to begin with where the source is no hook.
pub fn first_fields(source: &Source) -> &'static [(&'static str, &'static str)] {
    match source {
        Source::Action { .. } => &[],
        Source::PostType { .. } => &[("id", "id"), ("action", "action"), ("title", "post.post_title")],
        Source::Option { .. } => &[("option", "option"), ("value", "new")],
        Source::Webhook { .. } => &[("id", "id"), ("status", "status"), ("total", "total")],
        Source::Dispatch { .. } => &[("text", "data.text")],
    }
}

/// Every path to a plain value, for choosing: at most `PATHS_MAX`.
pub fn paths(input: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        let mut below = |key: &str, value: &Value| {
            let path = if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            };
            walk(value, &path, found);
        };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| below(key, value)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(nth, value)| below(&nth.to_string(), value)),
            _ => found.push(path.to_owned()),
        }
    }
    let mut found = Vec::new();
    walk(input, "", &mut found);
    found.truncate(PATHS_MAX);
    found
}

const PATHS_MAX: usize = 24;

/// What a path names, if it is there.
pub fn find<'v>(input: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(input);
    }
    path.split('.').try_fold(input, |value, key| match value {
        Value::Object(_) => value.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}
