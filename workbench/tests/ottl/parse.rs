//! The grammar of OTTL: statements, conditions and values.

/// An editor, and the condition under which it is called.
#[derive(Debug)]
pub struct Statement {
    pub editor: Call,
    pub condition: Option<Condition>,
}

/// A call of an editor or a converter.
#[derive(Debug)]
pub struct Call {
    pub name: String,
    pub arguments: Vec<Expression>,
}

#[derive(Debug)]
pub enum Condition {
    Or(Vec<Condition>),
    And(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Box<(Expression, String, Expression)>),
    Call(Call),
    Constant(bool),
}

#[derive(Debug)]
pub enum Expression {
    Nil,
    Bool(bool),
    Int(i64),
    Text(String),
    Enum(String),
    List(Vec<Expression>),
    Call(Call),
    /// The names of a path, and the keys after its last name.
    Path(Vec<String>, Vec<String>),
    Math(Box<(Expression, char, Expression)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Int(i64),
    Word(String),
    Sign(String),
}

/// Parses a statement.
pub fn statement(text: &str) -> Result<Statement, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let editor = parser.call()?;
    if !editor.name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err(format!("{} is no editor", editor.name));
    }
    let condition = if parser.take_word("where") { Some(parser.or()?) } else { None };
    parser.end(Statement { editor, condition })
}

/// Parses a condition.
pub fn condition(text: &str) -> Result<Condition, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let condition = parser.or()?;
    parser.end(condition)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&char) = chars.get(at) {
        let word =
            |accepts: fn(&char) -> bool| chars[at..].iter().copied().take_while(accepts).collect::<String>();
        if char.is_whitespace() {
            at += 1;
        } else if char == '"' {
            let (text, length) = string(&chars[at..])?;
            out.push(Token::Text(text));
            at += length;
        } else if char.is_ascii_digit() {
            let digits = word(char::is_ascii_digit);
            at += digits.len();
            out.push(Token::Int(digits.parse().map_err(|_| "a large number".to_owned())?));
        } else if char.is_ascii_alphabetic() {
            let name = word(|char| char.is_ascii_alphanumeric() || *char == '_');
            at += name.len();
            out.push(Token::Word(name));
        } else {
            let two: String = chars[at..].iter().take(2).collect();
            let sign = if ["==", "!=", "<=", ">="].contains(&two.as_str()) { two } else { char.to_string() };
            if !"==!=<=>=<>()[],.+-*/".contains(&sign) {
                return Err(format!("the character {char:?}"));
            }
            at += sign.len();
            out.push(Token::Sign(sign));
        }
    }
    Ok(out)
}

/// Reads a string with Go's escape sequences; returns its length in the text as well.
fn string(chars: &[char]) -> Result<(String, usize), String> {
    let mut out = String::new();
    let mut at = 1;
    loop {
        match chars.get(at) {
            None => return Err("a string without an end".to_owned()),
            Some('"') => return Ok((out, at + 1)),
            Some('\\') => {
                at += 1;
                out.push(match chars.get(at) {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(char @ ('"' | '\\')) => *char,
                    Some('u') => {
                        let digits: String = chars.iter().skip(at + 1).take(4).collect();
                        at += 4;
                        let number = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                        number.ok_or("an invalid escape sequence")?
                    }
                    other => return Err(format!("the escape sequence {other:?}")),
                });
            }
            Some('\n') => return Err("a line break in a string".to_owned()),
            Some(char) => out.push(*char),
        }
        at += 1;
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn end<T>(&self, parsed: T) -> Result<T, String> {
        self.peek().map_or(Ok(parsed), |token| Err(format!("{token:?} after the end")))
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        self.take(&Token::Sign(sign.to_owned()))
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take_sign(sign) { Ok(()) } else { Err(format!("{:?} instead of {sign}", self.peek())) }
    }

    fn or(&mut self) -> Result<Condition, String> {
        let mut terms = vec![self.and()?];
        while self.take_word("or") {
            terms.push(self.and()?);
        }
        Ok(Condition::Or(terms))
    }

    fn and(&mut self) -> Result<Condition, String> {
        let mut values = vec![self.boolean()?];
        while self.take_word("and") {
            values.push(self.boolean()?);
        }
        Ok(Condition::And(values))
    }

    fn boolean(&mut self) -> Result<Condition, String> {
        if self.take_word("not") {
            return Ok(Condition::Not(Box::new(self.boolean()?)));
        }
        let start = self.at;
        if let Ok(comparison) = self.comparison() {
            return Ok(comparison);
        }
        self.at = start;
        if self.take_sign("(") {
            let inner = self.or()?;
            self.expect(")")?;
            return Ok(inner);
        }
        match self.primary()? {
            Expression::Bool(value) => Ok(Condition::Constant(value)),
            Expression::Call(call) => Ok(Condition::Call(call)),
            other => Err(format!("{other:?} is no condition")),
        }
    }

    fn comparison(&mut self) -> Result<Condition, String> {
        let left = self.value()?;
        let Some(Token::Sign(sign)) = self.peek().cloned() else { return Err("no comparison".to_owned()) };
        if !["==", "!=", "<", ">", "<=", ">="].contains(&sign.as_str()) {
            return Err("no comparison".to_owned());
        }
        self.at += 1;
        let right = self.value()?;
        Ok(Condition::Compare(Box::new((left, sign, right))))
    }

    fn value(&mut self) -> Result<Expression, String> {
        self.math(&["+", "-"], |parser| parser.math(&["*", "/"], Self::primary))
    }

    fn math(
        &mut self,
        signs: &[&str],
        operand: impl Fn(&mut Self) -> Result<Expression, String>,
    ) -> Result<Expression, String> {
        let mut left = operand(self)?;
        while let Some(sign) = signs.iter().find(|sign| self.take_sign(sign)) {
            let sign = sign.chars().next().unwrap();
            left = Expression::Math(Box::new((left, sign, operand(self)?)));
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<Expression, String> {
        let token = self.peek().cloned().ok_or("the end of the text")?;
        self.at += 1;
        match token {
            Token::Text(text) => Ok(Expression::Text(text)),
            Token::Int(number) => Ok(Expression::Int(number)),
            Token::Sign(sign) if sign == "[" => Ok(Expression::List(self.list("]")?)),
            Token::Sign(sign) => Err(format!("{sign} is no value")),
            Token::Word(word) => match word.as_str() {
                "nil" => Ok(Expression::Nil),
                "true" => Ok(Expression::Bool(true)),
                "false" => Ok(Expression::Bool(false)),
                "where" | "and" | "or" | "not" => Err(format!("{word} is no value")),
                _ if self.peek() == Some(&Token::Sign("(".to_owned())) => {
                    self.at -= 1;
                    let call = self.call()?;
                    let is_converter = call.name.starts_with(|first: char| first.is_ascii_uppercase());
                    if is_converter {
                        Ok(Expression::Call(call))
                    } else {
                        Err("an editor in a value".to_owned())
                    }
                }
                _ if word.chars().all(|char| !char.is_ascii_lowercase()) => Ok(Expression::Enum(word)),
                _ => self.path(word),
            },
        }
    }

    fn path(&mut self, first: String) -> Result<Expression, String> {
        let mut names = vec![first];
        while self.take_sign(".") {
            match self.peek().cloned() {
                Some(Token::Word(name)) => names.push(name),
                other => return Err(format!("{other:?} in a path")),
            }
            self.at += 1;
        }
        let mut keys = Vec::new();
        while self.take_sign("[") {
            match self.peek().cloned() {
                Some(Token::Text(key)) => keys.push(key),
                other => return Err(format!("the key {other:?}")),
            }
            self.at += 1;
            self.expect("]")?;
        }
        Ok(Expression::Path(names, keys))
    }

    fn call(&mut self) -> Result<Call, String> {
        let Some(Token::Word(name)) = self.peek().cloned() else { return Err("no function".to_owned()) };
        self.at += 1;
        self.expect("(")?;
        Ok(Call { name, arguments: self.list(")")? })
    }

    /// Parses values up to a sign.
    fn list(&mut self, end: &str) -> Result<Vec<Expression>, String> {
        let mut values = Vec::new();
        while !self.take_sign(end) {
            if !values.is_empty() {
                self.expect(",")?;
            }
            values.push(self.value()?);
        }
        Ok(values)
    }
}
